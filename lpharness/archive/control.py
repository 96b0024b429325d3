"""Reading Debian's control data: package indices and relationship fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lpharness.archive.package import Package
from lpharness.archive.version import satisfies

_FIELDS = (
    "Package|Version|Architecture|Size|SHA256|Filename|Installed-Size|Source|Priority|Essential"
    "|Depends|Pre-Depends|Provides"
)
_FIELD = re.compile(rf"^({_FIELDS}): *(.*(?:\n[ \t].*)*)", re.MULTILINE)
_RELATION = re.compile(
    r"\s*(?P<name>[a-zA-Z0-9][a-zA-Z0-9+.-]*)(?::[a-z0-9-]+)?"
    r"\s*(?:\(\s*(?P<relation><<|<=|=|>=|>>|<|>)\s*(?P<version>[^\s)]+)\s*\))?"
    r"\s*(?:\[[^\]]*\])?\s*$"
)


class Relation(NamedTuple):
    """One alternative of a dependency, or one provided name."""

    name: str
    relation: str = ""
    version: str = ""

    def accepts(self, version: str) -> bool:
        """Whether ``version`` of the named package will do."""
        return not self.relation or satisfies(version, self.relation, self.version)

    def __str__(self) -> str:
        return f"{self.name} ({self.relation} {self.version})" if self.relation else self.name


def fields(stanza: str) -> dict[str, str]:
    """Return the fields of one control stanza that lpharness knows."""
    return dict(_FIELD.findall(stanza))


def package_of(stanza: str, *, base: str, origin: str, automatic: bool = True) -> Package | None:
    """Return the package a stanza of an index describes; ``None`` for a stanza without one.

    Args:
        stanza: the text of one stanza.
        base: URL that ``Filename`` is relative to.
        origin: kept as `Package.origin`.
        automatic: kept as `Package.automatic`.
    """
    field = fields(stanza)
    try:
        return Package(
            name=field["Package"],
            version=field["Version"],
            arch=field["Architecture"],
            size=int(field["Size"]),
            sha256=field["SHA256"].lower(),
            uri=base.rstrip("/") + "/" + field["Filename"].removeprefix("./"),
            origin=origin,
            installed_size=int(field.get("Installed-Size", "0")) * 1024,
            source=field.get("Source", field["Package"]).partition(" ")[0],
            priority=field.get("Priority", "optional"),
            essential=field.get("Essential") == "yes",
            depends=field.get("Depends", ""),
            pre_depends=field.get("Pre-Depends", ""),
            provides=field.get("Provides", ""),
            automatic=automatic,
        )
    except (KeyError, ValueError):
        return None


def parse_relations(text: str) -> Iterator[tuple[Relation, ...]]:
    """Yield each clause of a relationship field as its alternatives, in order.

    A part that is not in Debian's syntax is left out, as apt does.
    """
    for clause in text.split(","):
        found = [_RELATION.match(alternative) for alternative in clause.split("|")]
        alternatives = tuple(
            Relation(m["name"], m["relation"] or "", m["version"] or "") for m in found if m
        )
        if alternatives:
            yield alternatives
