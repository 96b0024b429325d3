"""An answer that never came is an error of the guest's, never a crash of the harness."""

import pytest
from msgspec import Struct

from lpharness.base.errors import GuestError
from lpharness.engine.saying import said
from lpharness.guests.contract import CommandResult


class Answer(Struct):
    errno: int


def result(stdout: bytes, stderr: bytes = b"", status: int = 0) -> CommandResult:
    return CommandResult(exit_status=status, stdout=stdout, stderr=stderr, seconds=0.0)


def test_an_answer_is_read() -> None:
    assert said("load", result(b'{"errno": 16}\n'), Answer) == Answer(16)


@pytest.mark.parametrize(
    ("came", "says"),
    [
        # What an oops in delete_module(2) leaves of the process that called it.
        (result(b"", status=137), "unload of lph_x: the guest gave no answer (exit status 137)"),
        (result(b'{"err', b"/proc/kcore: not there\n", 1), "(/proc/kcore: not there)"),
        (result(b'{"errno": "x"}'), "gave no answer"),
    ],
)
def test_no_answer_is_told(came: CommandResult, says: str) -> None:
    with pytest.raises(GuestError) as caught:
        said("unload of lph_x", came, Answer)
    assert says in str(caught.value)
