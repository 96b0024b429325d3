"""C programs for the guest: static, small, and compiled once for each content."""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lpharness.base.architecture import NATIVE, Architecture, architecture
from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError, HostError, InputError, LpharnessError
from lpharness.base.hashing import identity, sha256_file
from lpharness.base.process import run_to_end
from lpharness.base.resources import data_dir

_FLAGS = (
    *("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"),
    *("-static", "-s", "-Wl,--build-id=none"),
)
# Kernel headers (linux/*.h, asm/*.h) are not part of musl: found here, after musl's own. Cross
# compilers have their C library's and the kernel's together.
_HOST_FLAGS = ("-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu")
_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler that can link statically."""

    command: str
    identity: str
    """Of its version and of the C library that it links in."""


@dataclass(frozen=True, slots=True)
class _Program:
    """What a program is made of; the bytes of the outcome do not depend on the folder."""

    name: str
    folder: Path
    sources: list[Path]
    headers: list[Path]
    fault: type[LpharnessError]
    """Whose fault it is if it does not compile."""
    target: Architecture
    strict: bool = True
    """Whether a warning is an error."""

    @property
    def flags(self) -> tuple[str, ...]:
        wanted = _FLAGS + (_HOST_FLAGS if self.target.native else ())
        return wanted if self.strict else tuple(flag for flag in wanted if flag != "-Werror")


def program_names() -> list[str]:
    """Return the names of the programs that there are."""
    return sorted(path.stem for path in _folder().glob("*.c"))


def compile_program(name: str, *, arch: str = NATIVE, cache: Cache | None = None) -> Path:
    """Return the static executable made of ``images/programs/NAME.c`` and ``NAME/*.c``.

    Cached by the content of the sources, of all headers beside them, and by compiler and C library.
    The outcome does not depend on where the sources lie.

    Args:
        name: the program's.
        arch: Debian's name of the architecture that it is to run on.
        cache: the user's, unless given.

    Raises:
        InputError: there is no such program, or architecture.
        HostError: it does not compile, or there is no compiler that can link statically.
    """
    folder = _folder()
    return _built(
        _Program(
            name=name,
            folder=folder,
            sources=_sources(name),
            headers=[*folder.glob("*.h"), *(folder / name).glob("*.h")],
            fault=HostError,
            target=architecture(arch),
        ),
        cache,
    )


def compile_source(
    source: Path, *, arch: str = NATIVE, strict: bool = True, cache: Cache | None = None
) -> Path:
    """Return the static executable made of one C file and the headers beside it.

    Cached like `compile_program`.

    Args:
        source: the C file.
        arch: Debian's name of the architecture that it is to run on.
        strict: whether a warning is an error; not for code that is somebody else's.
        cache: the user's, unless given.

    Raises:
        BuildError: it does not compile, or not without warnings.
        HostError: there is no compiler that can link statically.
    """
    program = _Program(
        name=source.stem,
        folder=source.parent,
        sources=[source],
        headers=list(source.parent.glob("*.h")),
        fault=BuildError,
        target=architecture(arch),
        strict=strict,
    )
    return _built(program, cache)


def _built(program: _Program, cache: Cache | None) -> Path:
    compiler = find_compiler() if program.target.native else _cross_compiler(program.target)
    contents = [
        (str(path.relative_to(program.folder)), sha256_file(path))
        for path in (*program.sources, *sorted(program.headers))
    ]
    key = identity(program.name, compiler.identity, repr(program.flags), repr(contents))
    entry = (cache or Cache()).get(
        "programs", key, lambda folder: _compile(compiler, program, folder / program.name)
    )
    return entry / program.name


@lru_cache
def find_compiler() -> Compiler:
    """Return ``musl-gcc``, or else ``gcc`` with glibc's static library.

    Raises:
        HostError: there is neither.
    """
    for command, library in (("musl-gcc", _musl_library()), ("gcc", _glibc_library())):
        if shutil.which(command) and library.is_file():
            version = _output(command, "--version").splitlines()[0]
            return Compiler(command, identity(command, version, sha256_file(library)))
    raise HostError(
        "no C compiler that can link statically, to build the guest's own programs",
        hint="apt install musl-tools (or gcc and libc6-dev)",
    )


@lru_cache
def _cross_compiler(target: Architecture) -> Compiler:
    """Return Debian's gcc for another architecture, with glibc's static library for it.

    Raises:
        HostError: one of them is not installed.
    """
    command = f"{target.cross}gcc"
    library = Path("/usr", target.gnu, "lib/libc.a")
    if shutil.which(command) and library.is_file():
        version = _output(command, "--version").splitlines()[0]
        return Compiler(command, identity(command, version, sha256_file(library)))
    raise HostError(
        f"no C compiler for {target.name} that can link statically",
        hint=f"apt install gcc-{target.gnu.replace('_', '-')} libc6-dev-{target.name}-cross",
    )


def _musl_library() -> Path:
    # `musl-gcc -print-file-name` names glibc's.
    return next(iter(sorted(Path("/usr/lib").glob("*-linux-musl/libc.a"))), Path("missing"))


def _glibc_library() -> Path:
    return Path(_output("gcc", "-print-file-name=libc.a") if shutil.which("gcc") else "missing")


def _output(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S, env=_environment()
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _sources(name: str) -> list[Path]:
    main = _folder() / f"{name}.c"
    if "/" in name or not main.is_file():
        near = difflib.get_close_matches(name, program_names(), n=1)
        raise InputError(
            f"no guest program {name!r} in {_folder()}",
            hint=f"did you mean {near[0]!r}?" if near else None,
        )
    return [main, *sorted((_folder() / name).glob("*.c"))]


def _compile(compiler: Compiler, program: _Program, out: Path) -> None:
    # Relative names, so that no path of this host gets into messages or __FILE__.
    relative = [str(path.relative_to(program.folder)) for path in program.sources]
    include = ("-I.", f"-I{program.name}")
    command = [compiler.command, *include, *relative, *program.flags, "-o", str(out)]
    done = run_to_end(
        command,
        what=f"compile {program.name}",
        seconds=_TIMEOUT_S,
        folder=program.folder,
        environment={**_environment(), "TMPDIR": str(out.parent)},
    )
    if done.status:
        first = next((line for line in done.said.splitlines() if "error" in line), done.said)
        raise program.fault(
            f"the guest program {program.name} does not compile: {first.strip()}",
            hint=f"cd {program.folder} && {' '.join(command[:-2])} -o /dev/null",
        )
    out.chmod(0o755)


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"}


def _folder() -> Path:
    return data_dir("images") / "programs"
