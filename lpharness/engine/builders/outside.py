"""What kpatch-build and klp-build have in common: whole kernels, built in a tree of their own.

Both run ``make`` and ``patch`` in the tree they are given. So they are given a copy of it, and not
the user's diff, which is untrusted text: what the diff comes to is worked out by our own parser
first, with all that it refuses, and written anew. A diff that could not be applied, or changes
nothing, is told in seconds instead of after an hour.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from abc import ABC, abstractmethod
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError, HostError, InputError
from lpharness.base.hashing import identity, sha256_file
from lpharness.base.process import Ended
from lpharness.base.progress import SILENT, Progress
from lpharness.engine.builders.contract import Order
from lpharness.engine.compiler import Compiler, find_compiler, require_tools
from lpharness.engine.emit import NoChange
from lpharness.engine.emit.module import require_name
from lpharness.engine.inspect import Inspection, inspect
from lpharness.engine.module import Module
from lpharness.engine.objects.plan import DiffPlan, plan_diff
from lpharness.engine.objects.process import run
from lpharness.kernels.model import Kernel
from lpharness.sources.prepare import prepare_tree
from lpharness.sources.unified import unified_diff

_KIND = "livepatches"
_RECIPE = 1
_FACTS = "build.json"
_LONGEST_S = 12 * 3600.0
# Refusals that are the engine's own; an outside builder judges such diffs itself.
_OWN_REFUSALS = frozenset({"layout", "too-many-units", "unit-set", "shared-object"})
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_ERROR = re.compile(r"(ERROR|error)\b")
_CHECK_LOG = re.compile(r"\.( Check \S+ for more details\.?)?$")
_TAIL = 15  # lines of what was said that are shown
_NOTHING = re.compile(r"no (functional )?changes? (found|detected)|no changed objects found")


class Tool(Struct, frozen=True, kw_only=True):
    """An outside builder on this host."""

    program: Path
    version: str


class _Facts(Struct, frozen=True, kw_only=True):
    compiler: str
    warnings: str
    seconds: float


class OutsideBuilder(ABC):
    """A builder that is a program of somebody else's."""

    name: str

    @abstractmethod
    def require_kernel(self, kernel: Kernel) -> None:
        """Refuse a kernel that the tool cannot do.

        Raises:
            InputError: it cannot, and why.
        """

    @abstractmethod
    def find(self, kernel: Kernel) -> Tool:
        """Return the program and its version.

        Raises:
            HostError: it, or what it calls, is not on this host.
        """

    @abstractmethod
    def make(self, order: Order, tool: Tool, diff: Path, folder: Path, bench: Workbench) -> Path:
        """Run the tool in a private folder, which holds the diff, and return the module.

        Raises:
            LpharnessError: it failed; see `failure`.
        """

    def build(
        self, order: Order, *, progress: Progress = SILENT, cache: Cache | None = None
    ) -> Module:
        """Return the module; see `Builder.build`."""
        require_name(order.name)
        cache = cache or Cache()
        self.require_kernel(order.kernel)
        tool = self.find(order.kernel)
        require_tools()
        compiler = find_compiler(order.kernel)
        plan = _plan(order, progress, cache)
        diff = _written_anew(plan)
        key = identity(
            _RECIPE, self.name, tool.version, sha256_file(tool.program), order.name, diff,
            order.kernel.identity, compiler.version, int(order.replace),
        )  # fmt: skip
        found = cache.find(_KIND, key)

        def build(folder: Path) -> None:
            bench = Workbench(compiler, folder / "work", progress, cache)
            with bench:
                (bench.folder / f"{order.name}.patch").write_text(
                    diff, encoding="utf-8", errors="surrogateescape"
                )
                began = time.monotonic()
                with progress.step(f"{self.name} builds {order.kernel.release} for {order.name}"):
                    made = self.make(order, tool, bench.folder / f"{order.name}.patch",
                                     bench.folder, bench)  # fmt: skip
                facts = _Facts(
                    compiler=compiler.version,
                    warnings="\n".join(bench.warnings),
                    seconds=round(time.monotonic() - began, 1),
                )
                made.rename(folder / f"{order.name}.ko")
            (folder / _FACTS).write_bytes(msgspec.json.encode(facts))

        entry = found or cache.get(_KIND, key, build)
        facts = msgspec.json.decode((entry / _FACTS).read_bytes(), type=_Facts)
        path = entry / f"{order.name}.ko"
        inspection = inspect(path, order.kernel)
        _require_asked(self.name, inspection, order)
        return Module(
            name=order.name,
            path=path,
            sha256=sha256_file(path),
            source_sha256=plan.sha256,
            compiler=facts.compiler,
            inspection=inspection,
            builder=self.name,
            tool=tool.version,
            warnings="\n".join(filter(None, [*plan.notes, facts.warnings])),
            seconds=facts.seconds,
            cached=found is not None,
        )

    def failure(self, done: Ended, log: str = "") -> InputError:
        """Return the error that says in the tool's own words why it gave up.

        Args:
            done: how it ended.
            log: what the compilers said, where the tool keeps that apart.
        """
        said = _ESCAPES.sub("", f"{done.output.decode(errors='replace')}\n{done.said}").strip()
        lines = said.splitlines() or [f"exit status {done.status}"]
        errors = [line.strip() for line in lines if _ERROR.match(line.strip())]
        for line in errors:
            if _NOTHING.search(line):
                return NoChange(f"{self.name}: {_short(line)}", hint="there is nothing to patch")
        # What comes after the first is that it gives up.
        what = errors[0] if errors else lines[-1]
        more = "\n".join((*lines[-_TAIL:], *log.splitlines()[-_TAIL:]))
        return BuildError(f"{self.name}: {_short(what)}\n{more}", kind="outside-builder")


class Workbench:
    """A private folder in which a tool finds the kernel's compiler under its usual name."""

    def __init__(self, compiler: Compiler, folder: Path, progress: Progress, cache: Cache) -> None:
        self.compiler = compiler
        self.folder = folder
        self.progress = progress
        self.cache = cache
        self.warnings: list[str] = []

    def __enter__(self) -> Workbench:
        programs = self.folder / "bin"
        programs.mkdir(parents=True)
        path = shutil.which(self.compiler.command)
        assert path is not None  # `find_compiler` has called it
        (programs / self._family).symlink_to(path)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _family(self) -> str:
        return "clang" if "clang" in self.compiler.version else "gcc"

    def run(self, argv: list[str], *, folder: Path, kernel: Kernel, what: str) -> Ended:
        """Run a program that builds kernels.

        Modules get the kernel's own release, whatever the copied tree would make of its version.
        """
        keep = ("C_INCLUDE_PATH", "LIBRARY_PATH")  # where a user's own libraries may be
        return run(
            argv,
            folder=folder,
            environment={
                "PATH": f"{self.folder / 'bin'}:{os.environ.get('PATH', os.defpath)}",
                "HOME": str(self.folder),
                "TMPDIR": str(self.folder),
                "MAKEFLAGS": f" -- KERNELRELEASE={kernel.release} CC={self._family}",
                **{name: os.environ[name] for name in keep if name in os.environ},
            },
            what=what,
            longest_s=_LONGEST_S,
        )


def find_program(name: str, given: Path | None, variable: str, hint: str) -> Path:
    """Return a builder's program: as given, as the environment names it, or on ``PATH``.

    Raises:
        InputError: what was given is no program.
        HostError: there is none.
    """
    named = given or (Path(os.environ[variable]) if os.environ.get(variable) else None)
    if named is not None:
        if not named.is_file() or not os.access(named, os.X_OK):
            raise InputError(f"{named} is no program", hint=f"where is {name}?")
        return named.resolve()
    found = shutil.which(name)
    if found is None:
        raise HostError(
            f"{name} is not on this host",
            hint=f"{hint}; --builder-path or {variable} names it where PATH does not",
        )
    return Path(found).resolve()


def require_programs(builder: str, **packages: str) -> None:
    """Refuse early where a program that a builder calls is missing.

    Raises:
        HostError: naming it and its package.
    """
    missing = [program for program in packages if shutil.which(program) is None]
    if missing:
        wanted = " ".join(sorted({packages[program] for program in missing}))
        raise HostError(
            f"{builder} needs {', '.join(missing)}", hint=f"install it: apt install {wanted}"
        )


def _short(line: str) -> str:
    """Return an error without its mark, and without the log's name, which is gone by then."""
    return _CHECK_LOG.sub("", re.sub(r"^(ERROR|error): ", "", line))


def _plan(order: Order, progress: Progress, cache: Cache) -> DiffPlan:
    """Work out what the diff comes to, and refuse what no builder should be given."""
    tree = prepare_tree(order.kernel, cache=cache, progress=progress)
    plan = plan_diff(tree, order.diff, base=order.base, progress=progress, cache=cache)
    for refusal in plan.refusals:
        if refusal.kind == "no-code":
            raise NoChange(str(refusal), hint=refusal.hint)
        if refusal.kind not in _OWN_REFUSALS:
            raise InputError(str(refusal), hint=refusal.hint, kind=refusal.kind)
    return plan


def _written_anew(plan: DiffPlan) -> str:
    return "".join(
        unified_diff(path, _text(plan.tree.read(path)), _text(after))
        for path, after in sorted(plan.contents.items())
    )


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "surrogateescape")


def _require_asked(builder: str, inspection: Inspection, order: Order) -> None:
    """Hold what `inspect` read in the module against what was asked for."""
    livepatch = inspection.livepatch
    if livepatch.name != order.name:
        raise HostError(
            f"{builder} made a module that calls itself {livepatch.name!r}, not {order.name!r}"
        )
    if not livepatch.functions:
        raise HostError(
            f"no table of patched functions can be read in the module that {builder} made",
            hint="a newer version of it may write another; please report it",
        )
