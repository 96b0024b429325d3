"""One out-of-tree module through the kernel's own build system, without root.

Same source, kernel and compiler give the same bytes wherever the headers and the build's private
folder lie, and whoever builds: nothing of the caller's environment reaches ``make``, and paths are
mapped away. Of debug information only the lines are asked for, some ten kilobytes, so that a stack
can be told by file and line; types (most of a stock module's size, and of its build time after that
of make itself) are left out rather than stripped, since stripping a livepatch is not safe
(Documentation/livepatch/module-elf-format.rst: the order of symbols must be kept).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

from lpharness.base.errors import BuildError, HostError
from lpharness.base.process import run_to_end
from lpharness.base.resources import data_dir
from lpharness.engine.compiler import Compiler, require_tools

RECIPE = 3
"""Part of every build's cache key: raise it when a change here changes the bytes that come out."""

_LONGEST_S = 600.0
_ERROR = re.compile(
    r"^(?P<where>[^\s:][^:\n]*:\d+)(?::\d+)?: (?:fatal )?error: (?P<what>.*)$", re.M
)
_MODPOST = re.compile(r"^ERROR: modpost: (?P<what>.*)$", re.M)
# What make says about itself, and what Makefile says of the compiler, which `Compiler` tells.
_NOISE = re.compile(
    r"^(make(\[\d+\])?: .*|warning: the compiler differs .*"
    r"|  (The kernel was built by|You are using): .*)\n",
    re.M,
)


class Built(Struct, frozen=True, kw_only=True):
    """What one run of kbuild gave."""

    module: Path
    warnings: str
    """The tools' text where they had something to say; paths are the case's own."""


def headers_for(source: Path) -> list[Path]:
    """Return the headers that a C file may include: those beside it, and ours that it names."""
    text = source.read_text(errors="replace")
    ours = (data_dir("patches") / "include").glob("*.h")
    return sorted([*source.parent.glob("*.h"), *(header for header in ours if header.name in text)])


def compile_module(
    *,
    name: str,
    source: Path,
    headers: Path,
    compiler: Compiler,
    folder: Path,
    lines: bool = True,
) -> Built:
    """Build ``NAME.ko`` from one C file.

    Args:
        name: the module's name.
        source: its C file; header files beside it, and ours, may be included.
        headers: a prepared headers tree (``Kernel.headers``).
        compiler: as `find_compiler` gave it.
        folder: private, empty; kbuild's files and the result are left in it.
        lines: whether the module tells its lines: not where it is only a frame for other code.

    Raises:
        BuildError: the source does not compile or names what the kernel does not export.
        HostError: tools are missing, a path cannot be used by make, or no space is left.
    """
    _require_usable(headers, folder)
    shutil.copyfile(source, folder / f"{name}.c")
    for header in headers_for(source):
        shutil.copyfile(header, folder / header.name)
    module = folder / f"{name}.ko"
    text = _build(
        f"obj-m := {name}.o\n", [module], headers, compiler, folder,
        blamed=source, own={folder / f"{name}.c": source}, lines=lines,
    )  # fmt: skip
    return Built(module=module, warnings=text)


def compile_modules(
    *, sources: Sequence[Path], headers: Path, compiler: Compiler, folder: Path
) -> tuple[Path, ...]:
    """Build a module from each of some C files, which may include each other, in one go.

    Header files beside them, and ours, may be included as well.

    Args:
        sources: C files of different names.
        headers: a prepared headers tree (``Kernel.headers``).
        compiler: as `find_compiler` gave it.
        folder: private, empty; kbuild's files and the results are left in it.

    Raises:
        BuildError: one does not compile or names what the kernel does not export.
        HostError: tools are missing, a path cannot be used by make, or no space is left.
    """
    _require_usable(headers, folder)
    for source in sources:
        for path in (source, *headers_for(source)):
            shutil.copyfile(path, folder / path.name)
    objects = " ".join(f"{source.stem}.o" for source in sources)
    modules = tuple(folder / f"{source.stem}.ko" for source in sources)
    blamed = sources[0].parent
    _build(f"obj-m := {objects}\n", modules, headers, compiler, folder, blamed=blamed)
    return modules


def compile_linked(
    *,
    name: str,
    sources: Sequence[Path],
    extra: Sequence[Path],
    headers: Path,
    compiler: Compiler,
    folder: Path,
) -> Path:
    """Build ``NAME.ko`` from several C files that are linked together.

    Args:
        name: the module's name; no source may bear it.
        sources: the C files.
        extra: the header files beside them.
        headers: a prepared headers tree (``Kernel.headers``).
        compiler: as `find_compiler` gave it.
        folder: private, empty; kbuild's files and the result are left in it.

    Raises:
        BuildError: one does not compile or names what the kernel does not export.
        HostError: tools are missing, a path cannot be used by make, or no space is left.
    """
    _require_usable(headers, folder)
    for path in (*sources, *extra):
        shutil.copyfile(path, folder / path.name)
    objects = " ".join(f"{source.stem}.o" for source in sources)
    module = folder / f"{name}.ko"
    makefile = f"obj-m := {name}.o\n{name}-y := {objects}\n"
    _build(makefile, [module], headers, compiler, folder, blamed=sources[-1])
    return module


def _require_usable(headers: Path, folder: Path) -> None:
    """Refuse what kbuild would trip over."""
    require_tools()
    for path in (headers, folder):
        if re.search(r"[\s:]", str(path)):
            raise HostError(
                f"kbuild cannot work in a folder with a space or colon in its path: {path}",
                hint="set LPHARNESS_CACHE to one without",
            )


def _build(
    makefile: str,
    wanted: Sequence[Path],
    headers: Path,
    compiler: Compiler,
    folder: Path,
    *,
    blamed: Path,
    own: Mapping[Path, Path] = MappingProxyType({}),
    lines: bool = True,
) -> str:
    """Have kbuild make modules of what lies in a folder; return what the compiler says to them.

    Args:
        makefile: what the file ``Kbuild`` is to say.
        wanted: the modules that must be there in the end.
        headers: a prepared headers tree.
        compiler: as `find_compiler` gave it.
        folder: where the sources lie.
        blamed: what a failure names, where kbuild names no file.
        own: for files in the folder, what the user knows them as.
        lines: whether the modules tell their lines.
    """
    (folder / "Kbuild").write_text(makefile)
    status, output = _make(headers, folder, compiler, lines=lines)
    for copy, source in own.items():
        output = output.replace(str(copy), str(source))
    # What is left names files of a folder that nobody knows, and make tells of itself.
    text = _NOISE.sub("", output.replace(f"{folder}/", "")).strip()
    if status != 0 or not all(module.is_file() for module in wanted):
        raise _failure(blamed, text, status)
    return text


def _make(
    headers: Path, folder: Path, compiler: Compiler, *, lines: bool = True
) -> tuple[int, str]:
    debugging = "-g1" if lines else "-g0"
    flags = [debugging, f"-ffile-prefix-map={folder}=.", f"-ffile-prefix-map={headers.parent}=."]
    # Lines are told as the kernel's own are: from the top of the tree.
    roots = [headers, *sorted(headers.parent.glob("linux-headers-*-common"))]
    flags += [f"-fdebug-prefix-map={root}=." for root in roots]
    command = [
        "make",
        "--silent",
        "--no-print-directory",
        "-j2",
        "-C",
        str(headers),
        f"M={folder}",
        *compiler.make,
        f"CC={compiler.command}",
        f"KCFLAGS={' '.join(flags)}",
        "KBUILD_BUILD_USER=lpharness",
        "KBUILD_BUILD_HOST=lpharness",
        "KBUILD_BUILD_TIMESTAMP=1970-01-01",
        # Without a vmlinux BTF cannot be made; unset, kbuild does not complain of it.
        "CONFIG_DEBUG_INFO_BTF_MODULES=",
        "modules",
    ]
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "0",
    }
    done = run_to_end(
        command,
        what=f"build {folder.name} in {headers}",
        seconds=_LONGEST_S,
        environment=environment,
        one_stream=True,
    )
    return done.status, done.output.decode(errors="replace")


def _failure(source: Path, text: str, status: int) -> BuildError | HostError:
    if "No space left on device" in text:
        return HostError(f"no space left while building {source}", hint="free some space")
    if match := _ERROR.search(text):
        return BuildError(f"{match['where']}: {match['what']}\n{text}", kind="does-not-compile")
    if match := _MODPOST.search(text):
        return BuildError(
            f"{source}: {match['what']}\n{text}",
            hint="the kernel exports no such symbol to modules",
            kind="does-not-compile",
        )
    return BuildError(
        f"{source}: kbuild failed (make exit status {status})\n{text}", kind="does-not-compile"
    )
