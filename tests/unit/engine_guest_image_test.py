"""The image of a guest that is to be patched goes on without the module that cannot be built."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kernels_support import kernel_at

from lpharness.engine import guest_image
from lpharness.engine.compiler import find_compiler
from lpharness.kernels.model import Kernel


class Steps:
    """Keeps what is told of the work."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def step(self, text: str, **_: object) -> Any:
        from lpharness.base.progress import SILENT

        self.texts.append(text)
        return SILENT.step(text)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Path]]:
    """Return the own modules that images were asked for with."""
    seen: list[Sequence[Path]] = []

    def build(*_: object, own_modules: Sequence[Path], **__: object) -> None:
        seen.append(own_modules)

    monkeypatch.setattr(guest_image, "build", build)
    return seen


def of_gcc(kernel: Kernel) -> Kernel:
    config = {"CONFIG_CC_VERSION_TEXT": "x86_64-linux-gnu-gcc-12 (Debian 12.2.0-14) 12.2.0"}
    return msgspec.structs.replace(kernel, config=config)


def test_a_kernel_without_headers_goes_without(tmp_path: Path, asked: list[Sequence[Path]]) -> None:
    kernel = of_gcc(kernel_at(tmp_path / "6.1-mine"))
    find_compiler(kernel)  # it is not for want of a compiler
    steps = Steps()
    guest_image.guest_image("minimal", kernel, progress=steps)
    assert asked == [()]
    assert steps.texts == ["6.1-mine goes on without lph_handover: no headers for 6.1-mine"]


def test_a_kernel_of_an_unknown_compiler_goes_without(
    tmp_path: Path, asked: list[Sequence[Path]]
) -> None:
    steps = Steps()
    guest_image.guest_image("minimal", kernel_at(tmp_path / "6.1-mine"), progress=steps)
    assert asked == [()]
    assert "an unknown compiler" in steps.texts[0]


def test_there_is_none_for_other_processors(tmp_path: Path, asked: list[Sequence[Path]]) -> None:
    foreign = msgspec.structs.replace(of_gcc(kernel_at(tmp_path / "6.1-mine")), arch="ppc64el")
    steps = Steps()
    guest_image.guest_image("minimal", foreign, progress=steps)
    assert asked == [()]
    assert not steps.texts
