"""From a case's module source to a ``.ko`` that fits a kernel, built once for the same content."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.architecture import require_everything
from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError
from lpharness.base.hashing import identity, sha256_file
from lpharness.base.progress import SILENT, Progress
from lpharness.cases.model import Case, ModuleSource
from lpharness.engine import kbuild
from lpharness.engine.asserted import hold_against_case
from lpharness.engine.builders import Builder, Engine, Order, Prebuilt, builder_named
from lpharness.engine.compiler import find_compiler
from lpharness.engine.inspect import inspect
from lpharness.engine.module import Module
from lpharness.kernels.model import Kernel
from lpharness.sources.delta import delta
from lpharness.sources.diffed import Diffed
from lpharness.sources.edit import edit_diff
from lpharness.sources.prepare import prepare_tree

__all__ = ["Module", "build_module", "build_plain", "module_of_diff"]

_KIND = "modules"
_FACTS = "build.json"


class _Facts(Struct, frozen=True, kw_only=True):
    compiler: str
    warnings: str


def build_module(
    case: Case,
    module: ModuleSource,
    kernel: Kernel,
    *,
    builder: Builder | None = None,
    progress: Progress = SILENT,
    cache: Cache | None = None,
) -> Module:
    """Return the module built for ``kernel``, from the cache if the same was built before.

    Args:
        case: the case it belongs to.
        module: which of its modules.
        kernel: what it is for.
        builder: of source diffs, instead of the one that the case names.
        progress: told of each step.
        cache: where modules are kept.

    Raises:
        BuildError: it does not compile, or the fitting compiler is not installed.
        InputError: what was built is not the livepatch that the case says it is.
        HostError: tools or space are missing.
    """
    assert case.folder is not None
    if module.source:
        made = _of_c(case, module, kernel, progress, cache or Cache())
    elif module.prebuilt:
        order = Order(kernel=kernel, name=module.name)
        made = Prebuilt(case.folder / module.prebuilt).build(order)
    else:
        builder = builder or builder_named(module.builder)
        made = _of_diff(case, module, kernel, builder, progress, cache)
    hold_against_case(case, module, made.inspection)
    return made


def _of_c(
    case: Case, module: ModuleSource, kernel: Kernel, progress: Progress, cache: Cache
) -> Module:
    assert case.folder is not None
    source = case.folder / module.source
    # A companion may be what the livepatch patches.
    beside = {
        file.stem: build_plain(file, kernel, progress)
        for file in (case.folder / name for name in case.companions)
    }
    digest = _source_digest(source)
    path, built, cached = _from_source(module.name, source, digest, kernel, progress, cache)
    return Module(
        name=module.name,
        path=path,
        sha256=sha256_file(path),
        source_sha256=digest,
        compiler=built.compiler,
        # kbuild's modpost has held a module of ours against Module.symvers already.
        inspection=inspect(path, kernel, imports_known=True, beside=beside),
        builder="kbuild",
        warnings=built.warnings,
        cached=cached,
    )


def build_plain(source: Path, kernel: Kernel, progress: Progress = SILENT) -> Path:
    """Return the ``.ko`` of one C file, named like it; no livepatch, so nothing is inspected.

    Raises:
        BuildError: it does not compile, or the fitting compiler is not installed.
        HostError: tools or space are missing.
    """
    digest = _source_digest(source)
    path, _, _ = _from_source(source.stem, source, digest, kernel, progress, Cache())
    return path


def module_of_diff(
    diff: str,
    kernel: Kernel,
    *,
    name: str,
    base: str = "",
    replace: bool = False,
    builder: Builder | None = None,
    progress: Progress = SILENT,
    cache: Cache | None = None,
) -> Module:
    """Return the module that a source diff comes to, made by the engine or another builder.

    The arguments are those of `Order`.

    Raises:
        InputError: the diff changes nothing, is refused, or its base is not the kernel's.
        BuildError: it does not compile, or needs what a livepatch cannot reach.
        HostError: tools or space are missing.
    """
    require_everything(kernel.arch, "a livepatch made of a source diff")
    order = Order(kernel=kernel, name=name, diff=diff, base=base, replace=replace)
    return (builder or Engine()).build(order, progress=progress, cache=cache)


def _of_diff(
    case: Case,
    module: ModuleSource,
    kernel: Kernel,
    builder: Builder,
    progress: Progress,
    cache: Cache | None,
) -> Module:
    """Build a module from its diff, which is one of the tree after the case's base."""
    assert case.folder is not None
    require_everything(kernel.arch, "a livepatch made of a source diff")
    tree = prepare_tree(kernel, progress=progress, cache=cache)
    after, base = Diffed(tree.read), ""
    for earlier in case.base if not module.base else ():
        text = _diff(case.folder, earlier, after, progress)
        after.apply(text)
        base += text
    diff = _diff(case.folder, module, after, progress)
    return module_of_diff(
        diff, kernel, name=module.name, base=base, replace=module.replaces, builder=builder,
        progress=progress, cache=cache,
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


def _source_digest(source: Path) -> str:
    """Return the identity of a C file and of the header files it may include from beside it."""
    headers = kbuild.headers_for(source)
    if not headers:
        return sha256_file(source)
    return identity(*(f"{file.name} {sha256_file(file)}" for file in (source, *headers)))


def _from_source(
    name: str, source: Path, digest: str, kernel: Kernel, progress: Progress, cache: Cache
) -> tuple[Path, _Facts, bool]:
    compiler = find_compiler(kernel)
    key = identity(kbuild.RECIPE, name, digest, kernel.identity, compiler.version)
    found = cache.find(_KIND, key, sealed=True)

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

    entry = found or cache.get(_KIND, key, build, sealed=True)
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
