"""What a user may write for a kernel, and what is wrong with what they wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from lpharness.base.architecture import ARCHITECTURES, NATIVE
from lpharness.base.errors import InputError
from lpharness.kernels.profiles import find_profile

FLAVOURS = ("cloud-amd64", "amd64", "rt-amd64")
_SHORT = {"cloud": "cloud-amd64", "amd64": "amd64", "rt": "rt-amd64"}
_BASE = r"\d+\.\d+[0-9a-z.+~]*(?:-\d[0-9a-z.+~]*)?"
_RELEASE = re.compile(rf"(?P<base>{_BASE})-(?P<flavour>cloud-amd64|rt-amd64|amd64)")
_SERIES = re.compile(r"(?P<series>\d+\.\d+)(?:-(?P<flavour>[a-z0-9-]+))?")
_FORMS = (
    "debian:6.1-cloud (newest), debian:6.1.0-55-cloud-amd64 (exact), built:6.1-small, "
    "profile:NAME, tree:PATH, files:image=PATH,modules=DIR,headers=DIR"
)
_KINDS = ("debian", "built", "profile", "tree", "files")
_BUILT = re.compile(
    r"(?P<series>\d+\.\d+)-(?P<config>[a-z]+)"
    rf"(?:-(?P<arch>{'|'.join(ARCHITECTURES)}))?(?:-(?P<toolchain>(?:gcc|clang)(?:-\d+)?))?"
)
DEFAULT_TOOLCHAIN = "gcc-12"
_FILES_KEYS = ("image", "modules", "headers", "config")


@dataclass(frozen=True, slots=True)
class Release:
    """A Debian kernel release, taken apart."""

    name: str
    """``uname -r``: ``6.1.0-55-cloud-amd64``, ``6.12.117+deb12-cloud-amd64``."""
    base: str
    """The name without the flavour."""
    flavour: str

    @property
    def series(self) -> str:
        """The first two numbers: ``6.1``."""
        return ".".join(re.findall(r"\d+", self.base)[:2])

    @classmethod
    def parse(cls, name: str) -> Release | None:
        """Return the release of that name, or ``None`` if Debian names none like it."""
        found = _RELEASE.fullmatch(name)
        return cls(name, found["base"], found["flavour"]) if found else None


@dataclass(frozen=True, slots=True)
class NewestSpec:
    """The newest kernel of a series and flavour in Debian's archive."""

    text: str
    series: str
    flavour: str


@dataclass(frozen=True, slots=True)
class ExactSpec:
    """One release of Debian's."""

    text: str
    release: Release


@dataclass(frozen=True, slots=True)
class TreeSpec:
    """A built kernel tree."""

    text: str
    path: Path


@dataclass(frozen=True, slots=True)
class FilesSpec:
    """Plain files."""

    text: str
    image: Path
    modules: Path
    headers: Path | None
    config: Path | None


@dataclass(frozen=True, slots=True)
class BuiltSpec:
    """A kernel of our own recipe."""

    text: str
    series: str
    config: str
    toolchain: str
    arch: str = NATIVE


Spec = NewestSpec | ExactSpec | BuiltSpec | TreeSpec | FilesSpec


def parse_spec(text: str) -> Spec:
    """Return what ``text`` asks for.

    Raises:
        InputError: it is malformed, or names a flavour, key or profile that does not exist.
    """
    kind, colon, rest = text.partition(":")
    if not colon or not rest:
        raise InputError(f"not a kernel: {text!r}", hint=f"kernels are named {_FORMS}")
    match kind:
        case "debian":
            return _debian(text, rest)
        case "built":
            return _built(text, rest)
        case "profile":
            return parse_spec(find_profile(rest).kernel)
        case "tree":
            return TreeSpec(text, Path(rest).expanduser())
        case "files":
            return _files(text, rest)
    near = get_close_matches(kind, _KINDS, 1)
    raise InputError(
        f"not a kernel: {text!r}",
        hint=f"did you mean {near[0]}:{rest}?" if near else f"kernels are named {_FORMS}",
    )


def _debian(text: str, rest: str) -> Spec:
    if found := _SERIES.fullmatch(rest):
        series, flavour = found["series"], found["flavour"]
        if flavour is None:
            raise InputError(
                f"which flavour of {text}?",
                hint=", ".join(f"debian:{series}-{short}" for short in _SHORT),
            )
        full = _SHORT.get(flavour, flavour)
        if full not in FLAVOURS:
            raise _unknown_flavour(text, series, flavour)
        return NewestSpec(text, series, full)
    if release := Release.parse(rest):
        return ExactSpec(text, release)
    return _nearly_exact(text, rest)


def _built(text: str, rest: str) -> BuiltSpec:
    found = _BUILT.fullmatch(rest)
    if not found:
        raise InputError(
            f"not a kernel: {text!r}",
            hint="kernels of our own are named built:SERIES-CONFIG or "
            "built:SERIES-CONFIG-TOOLCHAIN, such as built:6.1-small-clang",
        )
    return BuiltSpec(
        text,
        found["series"],
        found["config"],
        found["toolchain"] or DEFAULT_TOOLCHAIN,
        found["arch"] or NATIVE,
    )


def _nearly_exact(text: str, rest: str) -> Spec:
    """Tell what is wrong with something that begins like a release and does not end like one."""
    if re.fullmatch(_BASE, rest):
        raise InputError(
            f"which flavour of {text}?",
            hint=", ".join(f"debian:{rest}-{flavour}" for flavour in FLAVOURS),
        )
    if found := re.fullmatch(rf"({_BASE})-([a-z0-9-]+)", rest):
        raise _unknown_flavour(text, found[1], found[2], exact=True)
    raise InputError(f"not a kernel: {text!r}", hint=f"kernels are named {_FORMS}")


def _unknown_flavour(text: str, base: str, flavour: str, *, exact: bool = False) -> InputError:
    names = list(FLAVOURS) if exact else [*_SHORT, *FLAVOURS]
    near = get_close_matches(flavour, [*_SHORT, *FLAVOURS], 1, cutoff=0.5)
    name = _SHORT.get(near[0], near[0]) if near and exact else near[0] if near else None
    return InputError(
        f"no flavour {flavour!r} in {text}",
        hint=f"did you mean debian:{base}-{name}?" if name else f"flavours: {', '.join(names)}",
    )


def _files(text: str, rest: str) -> FilesSpec:
    given: dict[str, Path] = {}
    for item in rest.split(","):
        key, equals, value = item.partition("=")
        key = key.strip()
        if not equals or not value:
            raise InputError(
                f"{item!r} in {text!r} is not KEY=PATH", hint=f"keys: {', '.join(_FILES_KEYS)}"
            )
        if key not in _FILES_KEYS:
            near = get_close_matches(key, _FILES_KEYS, 1)
            raise InputError(
                f"no key {key!r} in a files: kernel",
                hint=f"did you mean {near[0]}=?" if near else f"keys: {', '.join(_FILES_KEYS)}",
            )
        if key in given:
            raise InputError(f"{key}= is given twice in {text!r}")
        given[key] = Path(value).expanduser()
    for key in ("image", "modules"):
        if key not in given:
            raise InputError(
                f"{text!r} lacks {key}=", hint="files:image=PATH,modules=DIR,headers=DIR"
            )
    return FilesSpec(
        text, given["image"], given["modules"], given.get("headers"), given.get("config")
    )
