"""From what a user names to a dump and the symbols that are right for it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.kernels import resolve
from lpharness.kernels.debug_info import debug_vmlinux
from lpharness.kernels.model import Kernel
from lpharness.results.folder import TrialFolder


class Subject(Struct, frozen=True, kw_only=True):
    """A dump, and what it is read with."""

    core: Path
    vmlinux: Path
    modules: tuple[Path, ...] = ()


def find_subject(
    path: Path,
    *,
    kernel: str | None = None,
    vmlinux: Path | None = None,
    progress: Progress = SILENT,
) -> Subject:
    """Return the dump that a path leads to, with the symbols of its kernel and livepatches.

    Args:
        path: a dump, a trial's folder, or a run's folder with one dump in it.
        kernel: whose memory it is, if no trial beside it tells.
        vmlinux: its symbols, if they are not where the kernel's usually are.
        progress: told of downloads.

    Raises:
        InputError: there is no dump, or none of its symbols are on this host.
    """
    core = _core(path)
    trial = TrialFolder(core.parent)
    modules = tuple(sorted(trial.modules_path.glob("*.ko")))
    if vmlinux is None:
        vmlinux = _vmlinux(_kernel(trial, kernel, progress))
    elif not vmlinux.is_file():
        raise InputError(f"no such file: {vmlinux}")
    return Subject(core=core, vmlinux=vmlinux, modules=modules)


def _core(path: Path) -> Path:
    if path.is_file():
        return path
    name = TrialFolder(path).vmcore_path.name
    found = [path / name] if (path / name).is_file() else sorted(path.glob(f"trials/*/{name}"))
    if not found:
        raise InputError(
            f"no memory of a guest in {path}",
            hint="`lpharness run --keep-vmcore` keeps it when something goes wrong",
        )
    if len(found) > 1:
        raise InputError(
            f"{path} has {len(found)} of them", hint=f"name one, for example {found[0].parent}"
        )
    return found[0]


def _kernel(trial: TrialFolder, spec: str | None, progress: Progress) -> Kernel:
    release = ""
    if spec is None:
        if not trial.document_path.is_file():
            raise InputError(
                f"no trial beside {trial.vmcore_path} tells whose memory it is",
                hint="name the kernel with -k, or its symbols with --vmlinux",
            )
        told = trial.load().provenance
        release, spec = told.kernel_release, told.kernel_origin
        if spec.startswith("debian:"):
            spec = f"debian:{release}"  # what was the newest then may not be it today
    kernel = resolve(spec, progress=progress)
    if release not in ("", kernel.release):
        raise InputError(f"{spec} is {kernel.release} by now, and the dump is of {release}")
    return kernel


def _vmlinux(kernel: Kernel) -> Path:
    found = debug_vmlinux(kernel)
    if found is None:
        fetched = kernel.origin.package
        raise InputError(
            f"no debug information of {kernel.release} on this host",
            hint=f"lpharness kernels fetch debian:{kernel.release} --debug (hundreds of megabytes)"
            if fetched
            else "name its vmlinux with --vmlinux; it must have been built with debug information",
        )
    return found
