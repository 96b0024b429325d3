"""All that a set of packages needs to run: a small, deterministic dependency resolver.

It is for root file systems built from nothing, so conflicts, recommendations and what is installed
on the host play no part, and no essential package is taken for granted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lpharness.archive.control import Relation, parse_relations
from lpharness.archive.package import Package
from lpharness.base.errors import InputError

_PRIORITIES = ("required", "important", "standard", "optional", "extra")


class _Catalogue(Protocol):
    def find(self, name_pattern: str, *, refresh: bool = True) -> list[Package]: ...
    def providers(self, name: str) -> list[Package]: ...


def closure(catalogue: _Catalogue, names: Sequence[str]) -> list[Package]:
    """Return ``names`` with all they depend on (Depends and Pre-Depends), dependencies first.

    Of alternatives, one that is there already is taken, else the first that can be had. A virtual
    package is provided by the package of the highest priority, then by the first in the alphabet.
    The same names on the same index give the same list.

    Raises:
        InputError: a package, or something it depends on, is not in the archive.
    """
    resolver = _Resolver(catalogue)
    for name in dict.fromkeys(names):
        package = resolver.best(Relation(name))
        if package is None:
            raise InputError(
                f"no package named {name} in the archive", hint="see `apt-cache search`"
            )
        resolver.add(package)
    return resolver.ordered


class _Resolver:
    def __init__(self, catalogue: _Catalogue) -> None:
        self._catalogue = catalogue
        self._known: dict[Relation, Package | None] = {}
        self._chosen: dict[str, Package] = {}
        self.ordered: list[Package] = []

    def add(self, root: Package) -> None:
        """Choose a package and, before it, what it needs; circles end where they close."""
        if root.name in self._chosen:
            return
        self._chosen[root.name] = root
        # A stack of our own: dependency chains may be longer than Python's.
        stack = [(root, iter(self._clauses(root)))]
        while stack:
            package, clauses = stack[-1]
            for alternatives in clauses:
                needed = self._choose(package, alternatives)
                if needed.name not in self._chosen:
                    self._chosen[needed.name] = needed
                    stack.append((needed, iter(self._clauses(needed))))
                    break
            else:
                self.ordered.append(package)
                stack.pop()

    @staticmethod
    def _clauses(package: Package) -> list[tuple[Relation, ...]]:
        return [*parse_relations(package.pre_depends), *parse_relations(package.depends)]

    def _choose(self, package: Package, alternatives: tuple[Relation, ...]) -> Package:
        for wanted in alternatives:
            if there := self._there(wanted):
                return there
        for wanted in alternatives:
            if found := self.best(wanted):
                return found
        raise InputError(
            f"{package.name} {package.version} depends on "
            f"{' | '.join(map(str, alternatives))}, which the archive does not have"
        )

    def _there(self, wanted: Relation) -> Package | None:
        chosen = self._chosen.get(wanted.name)
        if chosen is not None and wanted.accepts(chosen.version):
            return chosen
        return next((p for p in self._chosen.values() if _provides(p, wanted)), None)

    def best(self, wanted: Relation) -> Package | None:
        """Return the newest package that ``wanted`` accepts, else the best provider."""
        if wanted not in self._known:
            self._known[wanted] = self._best(wanted)
        return self._known[wanted]

    def _best(self, wanted: Relation) -> Package | None:
        real = [p for p in self._catalogue.find(wanted.name, refresh=False)
                if wanted.accepts(p.version)]  # fmt: skip
        if real:  # backports only where nothing else will do, as apt has it
            return next((p for p in real if p.automatic), real[0])
        virtual = [p for p in self._catalogue.providers(wanted.name) if _provides(p, wanted)]
        return min(virtual, key=_preference, default=None)


def _provides(package: Package, wanted: Relation) -> bool:
    """Say whether a package provides ``wanted``; one without a version fulfils no versioned one."""
    return any(
        given.name == wanted.name and (not wanted.relation or wanted.accepts(given.version))
        for given, *_ in parse_relations(package.provides)
        if given.version or not wanted.relation
    )


def _preference(package: Package) -> tuple[bool, int, str]:
    rank = _PRIORITIES.index(package.priority) if package.priority in _PRIORITIES else 9
    return (not package.automatic, rank, package.name)
