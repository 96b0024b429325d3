"""How long a guest is waited for, by what runs its code and what the kernel does besides."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from lpharness.guests.contract import Guest
from lpharness.guests.slowness import slowness


def guest(accelerator: str, *, checks_itself: bool) -> Guest:
    kernel = SimpleNamespace(checks_itself=checks_itself)
    start = SimpleNamespace(accelerator=accelerator)
    return cast("Guest", SimpleNamespace(start=start, spec=SimpleNamespace(kernel=kernel)))


@pytest.mark.parametrize("accelerator", ["kvm", "tcg"])
def test_a_kernel_that_checks_itself_is_waited_for_longer(accelerator: str) -> None:
    plain = slowness(guest(accelerator, checks_itself=False))
    assert slowness(guest(accelerator, checks_itself=True)) > plain


def test_an_emulated_guest_is_waited_for_longer() -> None:
    emulated = slowness(guest("tcg", checks_itself=False))
    assert emulated > slowness(guest("kvm", checks_itself=False)) == 1
