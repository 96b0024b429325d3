"""What kbuild would do, told by kbuild: which files it builds, into what, by which command.

Nothing here knows what is in a kernel's makefiles. ``scripts/Makefile.build`` is asked folder by
folder what it would build there, with the environment that the top Makefile gives it; and for one
object it is made to print the command that it would run, by giving another meaning to the one rule
that runs compilers (``rule_cc_o_c``). What the object depends on and is generated in its folder
(flask.h, capflags.c) is made on the way, in an overlay.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.errors import HostError
from lpharness.base.hashing import identity
from lpharness.base.process import Ended
from lpharness.engine.compiler import Compiler, require_tools
from lpharness.engine.objects.process import run
from lpharness.engine.objects.unit import Unit, left_by_a_build, module_name
from lpharness.sources.overlay import Overlay
from lpharness.sources.tree import SourceTree

RECIPE = 2
"""Part of the cache's keys: raise it when a change here changes what is said."""
_ENVIRONMENT, _FOLDERS, _UNITS = "kbuild-environment", "kbuild-folders", "kbuild-units"
_FILE, _MADE = "facts.json", "made"
_OWN_BUSINESS = {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MAKEFILES", "PWD", "OLDPWD"}
_ASK = "lpharness-tell"
_MARK = "lpharness-unit"
_TELL_COMMAND = (
    f"rule_cc_o_c=@:$(info {_MARK} $@)$(info standard $(is-standard-object))"
    "$(info objtool $(objtool) $(objtool-args))$(info command $(cmd_cc_o_c))"
)
_BLOCK = re.compile(
    rf"^{_MARK} (?P<object>\S+)\nstandard (?P<standard>.*)\nobjtool (?P<objtool>.*)\n"
    r"command (?P<command>.*)$",
    re.MULTILINE,
)

# What the top Makefile is told: its configuration is as it should be (it would make another one,
# and begin by removing the old one, through the overlay's links, from the user's own tree), and,
# since 6.13, where it is.
_AS_IT_IS = ("may-sync-config=", "need-compiler=1", "objtree=.", "srcroot=.")

_NO_RULE = re.compile(r"No rule to make target '(scripts/[\w./-]+)', needed by")
_HOST_PROGRAMS = 4  # at most so many for one object


class Folder(Struct, frozen=True, kw_only=True):
    """What kbuild builds in one folder; paths are those of the tree."""

    builtin: frozenset[str]
    """Objects that become part of the kernel, if the folder does."""
    modules: frozenset[str]
    """Objects that become (part of) modules."""
    archive: frozenset[str]
    """Objects in a library, from which the linker takes what it needs."""
    folders: tuple[str, ...]
    """Where it goes on."""
    folders_builtin: frozenset[str]
    """Those of them whose objects become part of the kernel."""


class _Entry(Struct, frozen=True):
    unit: Unit | None


class Makefiles:
    """A tree's makefiles, asked in the name of one compiler; answers are kept."""

    def __init__(self, tree: SourceTree, compiler: Compiler, *, cache: Cache | None = None) -> None:
        self.tree = tree
        self.compiler = compiler
        self._cache = cache or Cache()
        own = tree.read("arch/x86/Makefile") if tree.own else None
        self._key = identity(RECIPE, tree.key, compiler.version, own)
        self._folders: dict[str, Folder] = {}
        self._environment_known: dict[str, str] | None = None

    def unit(self, source: str) -> Unit | None:
        """Return the unit that a ``.c`` file is, or ``None`` if this configuration has none.

        Raises:
            HostError: kbuild cannot be asked.
        """
        entry = self._cache.get(_UNITS, self._key_of(source), lambda at: self._find(source, at))
        return msgspec.json.decode((entry / _FILE).read_bytes(), type=_Entry).unit

    def built(self, sources: Iterable[str]) -> list[str]:
        """Return those of some files that this configuration builds; quicker than their units.

        Raises:
            HostError: kbuild cannot be asked.
        """
        with self._cache.scratch(_FOLDERS, "built") as scratch:
            overlay = self.tree.overlay(scratch / "tree")
            return [
                source
                for source in sources
                if self._builder(str(PurePosixPath(source).with_suffix(".o")), overlay)
            ]

    def lay_made(self, unit: Unit, overlay: Overlay) -> None:
        """Put into an overlay what kbuild makes in the unit's folders before it compiles."""
        made = self._cache.path(_UNITS, self._key_of(unit.source)) / _MADE
        for path in made.rglob("*"):
            if path.is_file():
                name = str(path.relative_to(made))
                target = overlay.open(str(PurePosixPath(name).parent)) / path.name
                target.unlink(missing_ok=True)
                shutil.copy2(path, target)  # with its date: make must not make it again

    def _key_of(self, source: str) -> str:
        if not self.tree.own:
            return identity(self._key, source)
        # A user may edit makefiles; those on the way to the file are looked at each time.
        above = [str(parent) for parent in PurePosixPath(source).parents]
        texts = (self.tree.read(f"{at}/{name}") for at in above for name in ("Makefile", "Kbuild"))
        return identity(self._key, source, *texts)

    # -- which folder builds it

    def _find(self, source: str, aside: Path) -> None:
        wanted = str(PurePosixPath(source).with_suffix(".o"))
        overlay = self.tree.overlay(aside / "tree")
        found = self._builder(wanted, overlay)
        unit = None
        if found is not None:
            folder, module = found
            for at in {folder, str(PurePosixPath(source).parent)}:
                overlay.open(at)
            for left in left_by_a_build(wanted):
                overlay.remove(left)
            unit = self._ask_command(source, wanted, folder, module, overlay)
            _keep_made(overlay.folder, aside / _MADE)
        (aside / _FILE).write_bytes(msgspec.json.encode(_Entry(unit)))
        shutil.rmtree(aside / "tree")

    def _builder(self, wanted: str, overlay: Overlay) -> tuple[str, bool] | None:
        """Return the folder that builds an object, and whether into a module."""
        waiting = [(".", True)]
        seen = set()
        while waiting:
            at, into_kernel = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            folder = self._folder(at, overlay)
            if wanted in folder.modules:
                return at, True
            if wanted in folder.builtin | folder.archive and into_kernel:
                return at, False
            on_the_way = [name for name in folder.folders if _may_lead(at, name, wanted)]
            # The nearest last, to be looked at first.
            on_the_way.sort(key=lambda name: _shared(name, wanted))
            waiting += [
                (name, into_kernel and name in folder.folders_builtin) for name in on_the_way
            ]
        return None

    def _folder(self, at: str, overlay: Overlay) -> Folder:
        if at not in self._folders:

            def build(aside: Path) -> None:
                facts = self._ask_folder(at, overlay)
                (aside / _FILE).write_bytes(msgspec.json.encode(facts))

            if self.tree.own:
                self._folders[at] = self._ask_folder(at, overlay)
            else:
                entry = self._cache.get(_FOLDERS, identity(self._key, at), build)
                self._folders[at] = msgspec.json.decode((entry / _FILE).read_bytes(), type=Folder)
        return self._folders[at]

    def _ask_folder(self, at: str, overlay: Overlay) -> Folder:
        names = {
            "builtin": "$(real-obj-y)",
            "modules": "$(real-obj-m)",
            "archive": "$(lib-y)",
            "folders": "$(subdir-ym)",
        }
        tell = "".join(f"$(info {_MARK} {key} {value})" for key, value in names.items())
        done = self._build(at, overlay, "--eval", f"{_ASK}: ; @:{tell}", _ASK)
        found = dict(re.findall(rf"^{_MARK} (\w+) ?(.*)$", done.output.decode(), re.MULTILINE))
        if done.status != 0 or found.keys() != names.keys():
            raise self._failure(f"ask kbuild what it builds in {at}", done)
        lists = {key: [_normal(name) for name in value.split()] for key, value in found.items()}
        return Folder(
            builtin=frozenset(n for n in lists["builtin"] if n.endswith(".o")),
            modules=frozenset(n for n in lists["modules"] if n.endswith(".o")),
            archive=frozenset(lists["archive"]),
            folders=tuple(lists["folders"]),
            folders_builtin=frozenset(
                name.rpartition("/")[0] for name in lists["builtin"] if name.endswith("/built-in.a")
            ),
        )

    # -- by which command

    def _ask_command(
        self, source: str, wanted: str, folder: str, module: bool, overlay: Overlay
    ) -> Unit | None:
        spelled = self._spelled(wanted, folder)
        done = self._build(folder, overlay, _TELL_COMMAND, spelled)
        for _ in range(_HOST_PROGRAMS):
            missing = _NO_RULE.search(done.said)
            if done.status == 0 or missing is None:
                break
            self._make_program(missing[1], overlay)
            done = self._build(folder, overlay, _TELL_COMMAND, spelled)
        blocks = [
            block
            for block in _BLOCK.finditer(done.output.decode(errors="replace"))
            if _normal(block["object"]) == wanted and "-c -o" in block["command"]
        ]
        if done.status != 0 and not blocks:
            raise self._failure(f"ask kbuild how it compiles {source}", done)
        if not blocks or not self.tree.path(source):
            return None  # made from something else than C: assembly, a binary
        command = " ".join(blocks[-1]["command"].split())
        if blocks[-1]["standard"].strip() and "objtool" not in command.partition(" -c -o ")[2]:
            # kbuild puts objtool off to the link (CONFIG_X86_KERNEL_IBT, CONFIG_LTO_CLANG). It
            # does the same then to a module of one object as to one of many, and to vmlinux.
            command += f" ; {' '.join(blocks[-1]['objtool'].split())} {_linked(module)} {spelled}"
        return Unit(
            source=source,
            object=wanted,
            module=module,
            name=module_name(command),
            command=command,
            folder=folder,
        )

    def _make_program(self, program: str, overlay: Overlay) -> None:
        """Make a program of ``scripts/`` that the object needs; a whole build has it by then."""
        folder = program.rpartition("/")[0]
        overlay.open(folder)
        done = self._build(folder, overlay, program)
        if done.status != 0:
            raise self._failure(f"make {program}", done)

    @staticmethod
    def _spelled(wanted: str, folder: str) -> str:
        """Return an object's path as the makefile of a folder spells it."""
        if folder == "." or wanted.startswith(folder + "/"):
            return wanted
        here = PurePosixPath(folder).parts
        there = PurePosixPath(wanted).parts
        same = sum(1 for _ in _common(here, there))
        return "/".join((folder, *[".."] * (len(here) - same), *there[same:]))

    # -- running make

    def _build(self, folder: str, overlay: Overlay, *arguments: str) -> Ended:
        return run(
            ["make", "--no-print-directory", "-rRs", "-f", "./scripts/Makefile.build",
             f"obj={folder}", "need-builtin=1", "need-modorder=1", *arguments],
            folder=overlay.folder, environment=self.environment(overlay),
            what=f"ask kbuild about {folder}",
        )  # fmt: skip

    def environment(self, overlay: Overlay) -> dict[str, str]:
        """Return what the top Makefile would hand down: the compiler's flags and much else.

        Args:
            overlay: of the tree, in which make can run if the answer is not known yet.
        """
        if self._environment_known is None:
            require_tools()
            entry = self._cache.get(
                _ENVIRONMENT, self._key, lambda aside: self._ask_environment(aside, overlay)
            )
            known = msgspec.json.decode((entry / _FILE).read_bytes(), type=dict[str, str])
            self._environment_known = known
        return self._environment_known

    def _ask_environment(self, aside: Path, overlay: Overlay) -> None:
        release = self.tree.kernel.release
        done = run(
            ["make", "--no-print-directory", "-rRs", "sub_make_done=1", "ARCH=x86",
             f"CC={self.compiler.command}", f"KERNELRELEASE={release}", *_AS_IT_IS,
             "--eval", f"{_ASK}: ; @env -0", _ASK],
            folder=overlay.folder, environment={}, what="ask kbuild for its flags",
        )  # fmt: skip
        pairs = [item.partition("=") for item in done.output.decode(errors="replace").split("\0")]
        found = {name: value for name, _, value in pairs if name}
        if done.status != 0 or "KBUILD_CFLAGS" not in found:
            raise self._failure("ask kbuild for its flags", done)
        mine = _OWN_BUSINESS | {"PATH", "HOME", "TMPDIR", "LC_ALL"}
        kept = {name: value for name, value in found.items() if name not in mine}
        kept["KBUILD_MODULES"] = "1"
        (aside / _FILE).write_bytes(msgspec.json.encode(kept))

    def _failure(self, what: str, done: Ended) -> HostError:
        lines = [line for line in done.said.splitlines() if line.strip()]
        wrong = next((line for line in lines if "***" in line or "rror" in line), "")
        return HostError(
            f"cannot {what}: {wrong or (lines or ['no answer'])[-1]}",
            hint="the source tree may be incomplete" if not self.tree.own else "is it built whole?",
        )


def _linked(module: bool) -> str:
    return "--link --module" if module else "--link"


def _keep_made(overlay: Path, target: Path) -> None:
    """Keep what make has made in an overlay: whatever is a file there and not a link."""
    for path in overlay.rglob("*"):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            kept = target / path.relative_to(overlay)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, kept)


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in PurePosixPath(path).parts:
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _common(left: tuple[str, ...], right: tuple[str, ...]) -> list[str]:
    found = []
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        found.append(a)
    return found


def _shared(folder: str, wanted: str) -> int:
    """Return how much of the way to an object a folder is."""
    return len(_common(PurePosixPath(folder).parts, PurePosixPath(wanted).parts))


def _may_lead(at: str, name: str, wanted: str) -> bool:
    """Say whether a folder's objects may be where ``wanted`` is.

    Mostly it is above it. But makefiles also name objects of a folder beside their own
    (drivers/gpu/drm/amd/amdgpu/Makefile: ``../display/…``).
    """
    return _shared(name, wanted) > (0 if at == "." else _shared(at, wanted))
