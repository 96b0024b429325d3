"""From a case's module source to a ``.ko`` that fits a kernel, built once for the same content."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError
from lpharness.base.hashing import identity, sha256_file
from lpharness.base.progress import SILENT, Progress
from lpharness.cases.model import Case, ModuleSource
from lpharness.engine import kbuild
from lpharness.engine.asserted import hold_against_case
from lpharness.engine.compiler import find_compiler
from lpharness.engine.emit import PatchBuild, build_diff
from lpharness.engine.inspect import Inspection, inspect
from lpharness.engine.objects.plan import MOST_UNITS
from lpharness.kernels.model import Kernel
from lpharness.sources.delta import delta
from lpharness.sources.diffed import Diffed
from lpharness.sources.edit import edit_diff
from lpharness.sources.prepare import prepare_tree

_KIND = "modules"
_FACTS = "build.json"


class Module(Struct, frozen=True, kw_only=True):
    """A livepatch module, ready to be loaded into the kernel it was built for."""

    name: str
    path: Path
    sha256: str
    source_sha256: str
    """Of everything the case gave to the build."""
    compiler: str
    """First line of the compiler's ``--version``; empty for a prebuilt module."""
    inspection: Inspection
    warnings: str = ""
    """What the compiler and kbuild said though the build went well."""
    cached: bool = False
    """Whether it had been built before."""
    patch: PatchBuild | None = None
    """Where it comes from, if the engine made it of a source diff."""


class _Facts(Struct, frozen=True, kw_only=True):
    compiler: str
    warnings: str


def build_module(
    case: Case,
    module: ModuleSource,
    kernel: Kernel,
    *,
    progress: Progress = SILENT,
    cache: Cache | None = None,
) -> Module:
    """Return the module built for ``kernel``, from the cache if the same was built before.

    Raises:
        BuildError: it does not compile, or the fitting compiler is not installed.
        InputError: what was built is not the livepatch that the case says it is.
        HostError: tools or space are missing.
    """
    assert case.folder is not None
    if module.prebuilt:
        path = case.folder / module.prebuilt
        digest = sha256_file(path)
        built = _Facts(compiler="", warnings="")
        cached = True
    elif module.source:
        source = case.folder / module.source
        digest = _source_digest(source)
        path, built, cached = _from_source(
            module.name, source, digest, kernel, progress, cache or Cache()
        )
    else:
        made = _of_diff(case, module, kernel, progress, cache)
        hold_against_case(case, module, made.inspection)
        return made
    # kbuild's modpost has held a module of ours against Module.symvers already.
    inspection = inspect(path, kernel, imports_known=bool(module.source))
    hold_against_case(case, module, inspection)
    return Module(
        name=module.name,
        path=path,
        sha256=sha256_file(path),
        source_sha256=digest,
        compiler=built.compiler,
        inspection=inspection,
        warnings=built.warnings,
        cached=cached,
    )


def module_of_diff(
    diff: str,
    kernel: Kernel,
    *,
    name: str,
    base: str = "",
    replace: bool = False,
    force_base: bool = False,
    most_units: int = MOST_UNITS,
    allow: frozenset[str] = frozenset(),
    progress: Progress = SILENT,
    cache: Cache | None = None,
) -> Module:
    """Return the module that a source diff comes to; the arguments are those of `build_diff`.

    Raises:
        InputError: the diff changes nothing, is refused, or its base is not the kernel's.
        BuildError: it does not compile, or needs what a livepatch cannot reach.
        HostError: tools or space are missing.
    """
    path, patch, inspection = build_diff(
        diff, kernel, name=name, base=base, replace=replace, force_base=force_base,
        most_units=most_units, allow=allow, progress=progress, cache=cache,
    )  # fmt: skip
    return Module(
        name=name,
        path=path,
        sha256=sha256_file(path),
        source_sha256=patch.diff_sha256,
        compiler=patch.compiler,
        inspection=inspection,
        warnings=_said(patch),
        cached=patch.cached,
        patch=patch,
    )


def _of_diff(
    case: Case, module: ModuleSource, kernel: Kernel, progress: Progress, cache: Cache | None
) -> Module:
    """Build a module from its diff, which is one of the tree after the case's base."""
    assert case.folder is not None
    tree = prepare_tree(kernel, progress=progress, cache=cache)
    after, base = Diffed(tree.read), ""
    for earlier in case.base if not module.base else ():
        text = _diff(case.folder, earlier, after, progress)
        after.apply(text)
        base += text
    diff = _diff(case.folder, module, after, progress)
    return module_of_diff(
        diff, kernel, name=module.name, base=base, replace=module.replaces, progress=progress,
        cache=cache,
    )  # fmt: skip


def _diff(folder: Path, module: ModuleSource, tree: Diffed, progress: Progress) -> str:
    """Return the source diff that a module is to be made of."""
    if module.delta is not None:
        wanted = module.delta
        versions = (wanted.new, wanted.old) if wanted.reverse else (wanted.old, wanted.new)
        return delta(*versions, wanted.files, functions=wanted.functions, progress=progress)
    if module.edits:
        return edit_diff(tree.read, module.edits)
    return (folder / module.patch).read_bytes().decode("utf-8", "surrogateescape")


def _said(patch: PatchBuild) -> str:
    """Return what the user should know of a patch's making."""
    lines = [*patch.notes]
    for one in patch.objects:
        lines += [*one.notes, *one.report.warnings, *filter(None, [one.warnings])]
    return "\n".join(lines)


def _source_digest(source: Path) -> str:
    """Return the identity of a C file and of the header files it may include from beside it."""
    headers = sorted(source.parent.glob("*.h"))
    if not headers:
        return sha256_file(source)
    return identity(*(f"{file.name} {sha256_file(file)}" for file in (source, *headers)))


def _from_source(
    name: str, source: Path, digest: str, kernel: Kernel, progress: Progress, cache: Cache
) -> tuple[Path, _Facts, bool]:
    compiler = find_compiler(kernel)
    key = identity(kbuild.RECIPE, name, digest, kernel.identity, compiler.version)
    found = cache.find(_KIND, key)

    def build(folder: Path) -> None:
        headers = kernel.headers or _fetch_headers(kernel, progress)
        work = folder / "work"
        work.mkdir()
        with progress.step(f"building {name} for {kernel.release}"):
            built = kbuild.compile_module(
                name=name, source=source, headers=headers, compiler=compiler, folder=work
            )
        built.module.rename(folder / built.module.name)
        shutil.rmtree(work)
        said = [built.warnings] if built.warnings else []
        if compiler.differs:
            said.append(f"built with {compiler.version}, the kernel with {compiler.differs}")
        facts = _Facts(compiler=compiler.version, warnings="\n".join(said))
        (folder / _FACTS).write_bytes(msgspec.json.encode(facts))

    entry = found or cache.get(_KIND, key, build)
    facts = msgspec.json.decode((entry / _FACTS).read_bytes(), type=_Facts)
    return entry / f"{name}.ko", facts, found is not None


def _fetch_headers(kernel: Kernel, progress: Progress) -> Path:
    from lpharness.kernels import with_headers

    headers = with_headers(kernel, progress=progress).headers
    if headers is None:
        raise BuildError(
            f"{kernel.release}: no headers to build modules with",
            hint="name a kernel whose headers are in the archive, or give headers=…",
        )
    return headers
