"""What the module of a model tells becomes events."""

from __future__ import annotations

import pytest

from lpharness.base.errors import GuestError
from lpharness.models.evidence import parse_attempts, parse_moves
from lpharness.timeline.events import Blocker

# As read in a guest.
ATTEMPTS = (
    "attempt\tpatching\t1000\t5000\t2000\t4500\t54\t279\t1\n"
    "blocker\t212\tS\t0\tlph-sleeper\t__do_sys_pause\t__do_sys_pause+0x1c/0x30;do_syscall_64+0x5b/0x80\n"
    "attempt\tpatching\t9000\t9500\t9100\t9400\t54\t281\t0\n"
    "attempt\tunpatching\t20000\t20500\t0\t0\t54\t0\t0\n"
    "total\t3\n"
)
MOVES = "move\t1200\t212\t0\tborder\tlph sleeper\nmove\t1300\t11\t1\twaiting\tkthreadd\ntotal\t2\n"


def test_each_look_at_the_tasks_with_who_was_in_the_way() -> None:
    first, second, third = parse_attempts(ATTEMPTS, "lph_pause", 7)
    assert (first.target, first.began_ns, first.guest_ns) == (1, 1000, 5000)
    assert (first.stop_began_ns, first.stop_ended_ns) == (2000, 4500)
    assert (first.tasks, first.frames, first.blocked) == (54, 279, 1)
    stack = ("__do_sys_pause+0x1c/0x30", "do_syscall_64+0x5b/0x80")
    assert first.blockers == (Blocker(212, "lph-sleeper", False, "S", stack),)
    assert first.reasons == ("__do_sys_pause",)
    assert (second.blocked, second.blockers) == (0, ())
    assert third.target == 0


def test_each_move_and_where_it_was() -> None:
    sleeper, kthread = parse_moves(MOVES, "lph_pause", 7)
    assert (sleeper.guest_ns, sleeper.pid, sleeper.comm) == (1200, 212, "lph sleeper")
    assert (sleeper.kthread, sleeper.where) == (False, "border")
    assert (kthread.kthread, kthread.where) == (True, "waiting")


@pytest.mark.parametrize("text", ["attempt\tpatching\n", "nonsense\n", "blocker\t1\n"])
def test_what_is_not_of_that_form_is_refused(text: str) -> None:
    with pytest.raises(GuestError, match="unknown line"):
        parse_attempts(text, "lph", 0)
    with pytest.raises(GuestError, match="unknown line"):
        parse_moves(text, "lph", 0)
