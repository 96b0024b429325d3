"""What the tests of single clauses share: choices of events, and a table's form."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from checks_samples import (
    MODULE,
    OLD,
    ask,
    between,
    clean,
    insert,
)

from lpharness.checks import Recording
from lpharness.results.model import Verdict
from lpharness.timeline.events import (
    Blocker,
    CallsCounted,
    CallSeen,
    EnabledFunction,
    ObjectState,
    TransitionMarked,
)

PASS, FAIL, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.SKIP
STEADY, AFTER = between(2.5, 4), between(6, 8)
PATCHING, UNPATCHING = between(1, 4), between(4, 6)
DURING = between(1, 5.95)
SLEEPER = Blocker(90, "lph-sleeper", False, "S", ("__do_sys_pause+0x5/0x10",))
Clause = tuple[str, Callable[[], Recording], Verdict, str]


def enabled(**changes: Any) -> EnabledFunction:
    plain = EnabledFunction(OLD, True, ("klp_ftrace_handler",), f"{OLD} (1) I")
    return msgspec.structs.replace(plain, **changes)


def vmlinux(patched: bool | None, *functions: str) -> dict[str, ObjectState]:
    return {"vmlinux": ObjectState(patched, functions)}


def check(clauses: list[Clause]) -> Any:
    return pytest.mark.parametrize(
        "clause", clauses, ids=lambda c: f"{c[0]}-{c[3]}".replace(" ", "_")
    )


def old(event: CallsCounted | CallSeen) -> bool:
    return event.side == "old"


def new(event: CallsCounted | CallSeen) -> bool:
    return event.side == "new"


def both(*conditions: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda event: all(condition(event) for condition in conditions)


def began(event: TransitionMarked) -> bool:
    return event.mark == "began"


def completed(event: TransitionMarked) -> bool:
    return event.mark == "completed"


def mark(name: str, direction: str = "patching") -> Recording:
    fields = {"patch": MODULE, "mark": name, "direction": direction, "source": "tracing"}
    return insert(clean(), 1.8, TransitionMarked, **fields)


def whats_wrong(check_: str, recording: Recording) -> set[str]:
    return {e.what + ": " + e.seen for e in ask(check_, recording).evidence if e.good is False}
