"""The accelerator is proved by a boot, once, and can be overridden."""

import msgspec
import pytest
from guest_support import soon, spec

from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.guests import accelerator
from lpharness.guests.accelerator import Accelerator


def test_the_answer_is_a_boots(tmp_path):
    """Whatever the host is like, the accelerator that was chosen runs a guest."""
    from lpharness.guests import backend

    choice = accelerator.choose(spec(), Cache(tmp_path))
    assert choice.why
    chosen = msgspec.structs.replace(spec(), accelerator=choice.name)
    with backend().start(chosen, deadline=soon()) as guest:
        assert guest.start.accelerator == choice.name
        assert guest.transport.run("true", deadline=soon()).exit_status == 0


def test_is_asked_once(tmp_path, monkeypatch):
    asked = []

    def probe(spec):
        asked.append(spec)
        return Accelerator("kvm", "proved by the test")

    monkeypatch.setattr(accelerator, "probe", probe)
    monkeypatch.setattr(accelerator, "_kvm_refusal", lambda: "")
    first = accelerator.choose(spec(), Cache(tmp_path))
    second = accelerator.choose(spec(), Cache(tmp_path))
    assert first == second == Accelerator("kvm", "proved by the test")
    assert len(asked) == 1


def test_kvm_that_cannot_be_opened_is_not_booted(tmp_path, monkeypatch):
    monkeypatch.setattr(accelerator, "_kvm_refusal", lambda: "the host has no /dev/kvm")
    assert accelerator.choose(spec(), Cache(tmp_path)) == Accelerator(
        "tcg", "the host has no /dev/kvm"
    )


def test_override(tmp_path, monkeypatch):
    monkeypatch.setenv("LPHARNESS_ACCEL", "kvm")
    assert accelerator.choose(spec(), Cache(tmp_path)).name == "kvm"
    asked = msgspec.structs.replace(spec(), accelerator="tcg")
    assert accelerator.choose(asked, Cache(tmp_path)) == Accelerator("tcg", "asked for")
    monkeypatch.setenv("LPHARNESS_ACCEL", "magic")
    with pytest.raises(InputError, match="magic"):
        accelerator.choose(spec(), Cache(tmp_path))


def test_scale():
    assert Accelerator("tcg", "").scale == 10 * Accelerator("kvm", "").scale
