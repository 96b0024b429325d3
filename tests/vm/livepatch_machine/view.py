"""What is compared after each step: a flat table of what the reference says and what was seen."""

from __future__ import annotations

from typing import Any

from livepatch_machine.acts import World
from livepatch_machine.catalog import ANSWER, ANSWER_KEY, NUMBERS, PAUSE, PAUSE_KEY, TARGET

View = dict[str, str]
NONE = "none"

_OF_THE_GUEST = "lph_handover"
"""A module that is there before anything is done: `lpharness.engine.guest_image`."""


def of_reference(world: World, number: int) -> View:
    """Return what the reference says after an act that it answered with an errno."""
    kernel = world.kernel
    view = {
        "errno": number,
        "reached": NUMBERS[kernel.reached(PAUSE_KEY)],
        "answer": NUMBERS[kernel.reached(ANSWER_KEY)] if TARGET in kernel.targets else -1,
        "traced": 1 if world.tracing else -1,
        "cpu1": int(world.cpu1),
        f"redirected {PAUSE}": int(PAUSE_KEY in kernel.stacks.handled()),
        f"redirected {ANSWER}": int(ANSWER_KEY in kernel.stacks.handled()),
    }
    text = {key: str(value) for key, value in view.items()}
    for patch in kernel.patches:
        moves = kernel.transition is not None and kernel.transition.patch is patch
        text[f"{patch.name}/enabled"] = str(int(patch.enabled))
        text[f"{patch.name}/transition"] = str(int(moves))
        if kernel.release.shows_replace:
            text[f"{patch.name}/replace"] = str(int(patch.spec.replace))
        for obj in patch.objects:
            text[f"{patch.name}/{obj.name}/patched"] = str(int(obj.patched))
    for name, count in kernel.modules.items():
        text[f"module {name}"] = str(count)
    for name in kernel.targets:
        text[f"module {name}"] = "0"
    for task in kernel.tasks:
        text[f"sleeper {task.name} state"] = str(int(task.state))
        text[f"sleeper {task.name} version"] = task.stack[-1][2]
    called = kernel.callbacks.take()
    text["callbacks"] = "; ".join(f"{c.patch} {c.object} {c.callback}" for c in called)
    return text


def of_guest(seen: dict[str, Any]) -> View:
    """Return the same of what the guest told."""
    text = {key: str(seen[key]) for key in ("errno", "reached", "answer", "traced", "cpu1")}
    text |= {f"redirected {name}": str(value) for name, value in seen["redirected"].items()}
    for name, patch in seen["patches"].items():
        text[f"{name}/enabled"] = str(patch["enabled"])
        text[f"{name}/transition"] = str(patch["transition"])
        if patch["replace"] >= 0:
            text[f"{name}/replace"] = str(patch["replace"])
        text |= {f"{name}/{obj}/patched": str(value) for obj, value in patch["objects"].items()}
    modules = {name: count for name, count in seen["modules"].items() if name != _OF_THE_GUEST}
    text |= {f"module {name}": str(count) for name, count in modules.items()}
    for name, sleeper in seen["sleepers"].items():
        text[f"sleeper {name} state"] = str(sleeper["state"])
        text[f"sleeper {name} version"] = sleeper["version"]
    prefix = "lph-callback: "
    said = [line.removeprefix(prefix) for line in seen["log"] if line.startswith(prefix)]
    text["callbacks"] = "; ".join(said)
    return text


def differences(reference: View, guest: View) -> dict[str, tuple[str, str]]:
    """Return what the reference and the guest say where they differ."""
    return {
        key: (reference.get(key, NONE), guest.get(key, NONE))
        for key in sorted({*reference, *guest})
        if reference.get(key, NONE) != guest.get(key, NONE)
    }
