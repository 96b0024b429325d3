"""Which of the host's apt sources are Debian's own, and how a mirror the user names joins them.

A private ``apt update`` should be quick and see kernels only Debian signed, so sources known to be
someone else's are left out. What cannot be told stays in: after the update the Origin field of
the signed Release file decides.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lpharness.archive.process import run_tool
from lpharness.base.errors import HostError, InputError

KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
_ONE_LINE = re.compile(r"^\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)")
_SUITE = re.compile(r"[a-z0-9][a-z0-9./+~-]*")


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of the host's sources, kept as it was written."""

    text: str
    deb822: bool
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    signed_by: str


@dataclass(frozen=True, slots=True)
class HostApt:
    """Where the host's apt keeps what lpharness inherits."""

    etc: Path
    lists: Path


def host_apt() -> HostApt:
    """Return the host's folders; asks apt only where its defaults were redirected."""
    if not os.environ.get("APT_CONFIG"):
        return HostApt(Path("/etc/apt"), Path("/var/lib/apt/lists"))
    said = run_tool(
        ["apt-config", "shell", "etc", "Dir::Etc/d", "lists", "Dir::State::lists/d"],
        seconds=20,
        what="read apt's configuration",
    ).decode()
    found = dict(re.findall(r"^(\w+)='(.*)'$", said, re.MULTILINE))
    return HostApt(
        Path(found.get("etc", "/etc/apt")), Path(found.get("lists", "/var/lib/apt/lists"))
    )


def debian_sources(host: HostApt) -> list[Source]:
    """Return the host's sources without those known to be someone else's, in apt's order."""
    return [source for source in _read(host.etc) if _may_be_debian(source, host.lists)]


def are_covered(sources: list[Source], lists: Path) -> bool:
    """Say whether lists hold a Release file for every suite of every source."""
    return all(
        _origin(lists, uri, suite) is not None
        for source in sources
        for uri in source.uris
        for suite in source.suites
    )


def mirror_source(mirror: str, known: list[Source]) -> Source:
    """Return the source for a mirror the user named, trusted by Debian's archive keyring alone.

    Args:
        mirror: ``URL`` or ``URL SUITE...``. Without suites, those that the host draws from the
            same part of the archive (``…/debian``, ``…/debian-security``).
        known: the host's own sources.

    Raises:
        InputError: not a URL with suites.
        HostError: the host has no Debian archive keyring, so nothing could be verified.
    """
    uri, *suites = mirror.split() or [""]
    if not re.match(r"[a-z][a-z0-9+.-]*:/", uri) or not all(_SUITE.fullmatch(s) for s in suites):
        raise InputError(
            f"not a mirror: {mirror!r}",
            hint="--mirror takes a URL, or 'URL SUITE...' such as "
            "'https://mirror.example/debian-security bookworm-security'",
        )
    keyring = next((path for path in KEYRINGS if path.exists()), None)
    if keyring is None:
        raise HostError(
            f"cannot verify {uri}: no Debian archive keyring on this host",
            hint="install the package debian-archive-keyring",
        )
    suites = suites or _suites_like(uri, known)
    text = (
        f"Types: deb\nURIs: {uri}\nSuites: {' '.join(suites)}\nComponents: main\n"
        # an archive's snapshot is past its date, and no less signed for that
        f"Check-Valid-Until: no\nSigned-By: {keyring}\n"
    )
    return Source(text, True, (uri,), tuple(suites), str(keyring))


def _suites_like(uri: str, known: list[Source]) -> list[str]:
    def part(address: str) -> str:
        return "security" if "security" in address else "main"

    suites = [s for source in known for u in source.uris if part(u) == part(uri)
              for s in source.suites]  # fmt: skip
    return list(dict.fromkeys(suites)) or (
        [f"{_codename()}-security"] if part(uri) == "security" else [_codename()]
    )


def _codename() -> str:
    try:
        text = Path("/etc/os-release").read_text()
    except OSError:
        text = ""
    found = re.search(r'^VERSION_CODENAME="?([a-z]+)', text, re.MULTILINE)
    return found[1] if found and re.search(r"^ID=debian$", text, re.MULTILINE) else "bookworm"


def _read(etc: Path) -> list[Source]:
    parts = etc / "sources.list.d"
    sources = _one_line_sources(etc / "sources.list")
    for path in sorted(parts.glob("*")) if parts.is_dir() else []:
        if path.suffix == ".list":
            sources += _one_line_sources(path)
        elif path.suffix == ".sources":
            sources += _deb822_sources(path)
    return sources


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # absent, or not for this user: apt itself would go on without it too
        return ""


def _one_line_sources(path: Path) -> list[Source]:
    sources = []
    for line in _text(path).splitlines():
        if found := _ONE_LINE.match(line):
            signed = re.search(r"signed-by=(\S+)", found["options"] or "")
            sources.append(
                Source(line, False, (found["uri"],), (found["suite"],), signed[1] if signed else "")
            )
    return sources


def _deb822_sources(path: Path) -> list[Source]:
    sources = []
    for stanza in re.split(r"\n(?:[ \t]*\n)+", _text(path)):
        lines = [line for line in stanza.splitlines() if not line.startswith("#")]
        text = "\n".join(lines)
        field = {
            key.lower(): value.strip()
            for key, value in re.findall(
                r"^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t].*)*)", text, re.MULTILINE
            )
        }
        if field.get("enabled", "yes").lower() in ("no", "false", "0", "off", "without", "disable"):
            continue
        if "deb" not in field.get("types", "").split() or not field.get("uris"):
            continue
        text = re.sub(r"^types:.*$", "Types: deb", text, flags=re.MULTILINE | re.IGNORECASE)
        sources.append(
            Source(
                text.strip() + "\n",
                True,
                tuple(field["uris"].split()),
                tuple(field.get("suites", "").split()),
                field.get("signed-by", ""),
            )
        )
    return sources


def _may_be_debian(source: Source, lists: Path) -> bool:
    """Say whether a source is Debian's as far as can be told before it is fetched."""
    origins = {origin for uri in source.uris for suite in source.suites
               if (origin := _origin(lists, uri, suite))}  # fmt: skip
    if origins:
        return "Debian" in origins
    if source.signed_by.startswith("/"):
        return "debian-archive" in source.signed_by
    return True


def _origin(lists: Path, uri: str, suite: str) -> str | None:
    """Return the Origin in the Release file that the host's last update left, if it did."""
    stem = re.sub(r"^[a-z0-9+.-]+:/+", "", uri.rstrip("/")).replace("/", "_")
    for name in ("InRelease", "Release"):
        path = lists / f"{stem}_dists_{suite.replace('/', '_')}_{name}"
        if path.exists() and (found := re.search(r"^Origin: *(.*)$", _text(path), re.MULTILINE)):
            return found[1].strip()
    return None
