"""The image of a guest that is to be patched, with the harness's own module for emulated CPUs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lpharness.base.architecture import architecture
from lpharness.base.errors import HostError, InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.base.resources import data_dir
from lpharness.engine.build import build_plain
from lpharness.images import Image, build
from lpharness.kernels.model import Kernel

_HANDOVER = Path("modules", "lph_handover.c")


def guest_image(
    recipe: str,
    kernel: Kernel,
    *,
    guest_modules: Sequence[str] = (),
    progress: Progress = SILENT,
) -> Image:
    """Return the image of a recipe for a kernel whose code is to be rewritten.

    ``images/modules/lph_handover.c`` is in it: without that an emulated guest gets on as well, but
    one whose CPUs are busy takes a minute for what takes a second with it. So where no module can
    be built for a kernel, the image is the plain one. Arguments and errors are those of
    `lpharness.images.build`.
    """
    own = _handover(kernel, progress) if architecture(kernel.arch).folder == "x86" else ()
    return build(recipe, kernel, guest_modules=guest_modules, own_modules=own, progress=progress)


def _handover(kernel: Kernel, progress: Progress) -> tuple[Path, ...]:
    try:
        return (build_plain(data_dir("images") / _HANDOVER, kernel, progress),)
    except (InputError, HostError) as error:  # no headers, no compiler, no archive
        with progress.step(f"{kernel.release} goes on without {_HANDOVER.stem}: {error.message}"):
            return ()
