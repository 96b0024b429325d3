"""How a run looks while it goes."""

import msgspec
import pytest
from rich.console import Console

from lpharness.cli.live import RunView
from lpharness.cli.remaining import Remaining
from lpharness.results.model import Trial, TrialId, Verdict
from lpharness.run.told import StepNews
from lpharness.timeline.events import Phase

LONG = TrialId(case="module-function", variant="target-first", kernel="6.12.117+deb12-cloud-amd64",
               workload="syscall-hammer")  # fmt: skip
OTHER = msgspec.structs.replace(LONG, repeat=1)


def drawn(view: RunView, width: int) -> list[str]:
    lines = Console(width=width).render_lines(view)
    return ["".join(segment.text for segment in line).rstrip() for line in lines]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_live_lines_stay_two_at_any_width(width: int) -> None:
    view = RunView()
    view.planned([LONG] * 14)
    view.phase(LONG, Phase.TRANSITION)
    lines = drawn(view, width)
    assert len(lines) == 2
    assert all(len(line) <= width for line in lines)
    assert lines[0].startswith("[1/14] module-function:target-first on 6.12")
    assert lines[1].split() == [
        "boot", "baseline", "load", "transition", "steady", "unload", "after",
    ]  # fmt: skip


def test_a_control_comes_before_all_that_has_one() -> None:
    view = RunView()
    view.planned([LONG])
    view.phase(LONG, Phase.CONTROL)
    view.phase(LONG, Phase.BOOT)
    assert drawn(view, 80)[1].split()[:3] == ["control", "boot", "baseline"]


def test_before_the_first_phase_it_says_how_many_there_are() -> None:
    view = RunView()
    view.planned([LONG])
    assert [line.strip() for line in drawn(view, 80)] == ["[0/1] 1 left"]


def test_after_the_last_verdict_no_trial_goes_on() -> None:
    view = RunView()
    view.planned([LONG, OTHER])
    view.phase(LONG, Phase.AFTER)
    view.finished(Trial(id=LONG, verdict=Verdict.PASS, reason=""))
    assert [line.strip() for line in drawn(view, 80)] == ["[1/2] 1 left"]
    view.finished(Trial(id=OTHER, verdict=Verdict.PASS, reason=""))
    assert drawn(view, 80) == ["writing the reports"]


def test_several_trials_and_what_is_prepared_have_a_line_each() -> None:
    view = RunView({OTHER: 30.0})
    view.planned([LONG, OTHER])
    view.phase(LONG, Phase.TRANSITION)
    view.phase(OTHER, Phase.BOOT)
    view.preparing("stall for 6.1", StepNews(text="download x.deb", done=43, total=100, unit="B"))
    head, first, second, third = (line.strip() for line in drawn(view, 100))
    assert head.startswith("[0/2] 2 left, done at about ")
    assert first.startswith("transition module-function:target-first on 6.12.117")
    assert second.split()[:2] == ["boot", "module-function:target-first"]
    assert third == "preparing  stall for 6.1  download x.deb 43%"
    view.preparing("stall for 6.1", None)
    assert len(drawn(view, 100)) == 3


def test_what_is_tried_again_is_one_more(capsys: pytest.CaptureFixture[str]) -> None:
    view = RunView()
    view.planned([LONG])
    view.finished(Trial(id=LONG, verdict=Verdict.ERROR, reason="no answer", seconds=9.0))
    second = msgspec.structs.replace(LONG, attempt=1)
    view.again(second)
    assert drawn(view, 80)[0].startswith("[1/2] 1 left")
    view.finished(Trial(id=second, verdict=Verdict.PASS, reason=""))
    assert "[2/2] pass  module-function:target-first" in capsys.readouterr().err


def test_what_is_left_is_told_by_what_is_known() -> None:
    remaining = Remaining({LONG: 30.0})
    remaining.planned([LONG, OTHER])
    assert remaining.seconds(2) == 30.0  # the other as long as the one that is known, two at a time
    remaining.finished(LONG, 10.0)
    assert remaining.seconds(1) == 10.0
    assert Remaining({}).seconds(1) is None
