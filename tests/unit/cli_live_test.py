"""How a run looks while it goes."""

import pytest
from rich.console import Console

from lpharness.cli.live import RunView
from lpharness.results.model import Trial, TrialId, Verdict
from lpharness.timeline.events import Phase

LONG = TrialId(case="module-function", variant="target-first", kernel="6.12.117+deb12-cloud-amd64",
               workload="syscall-hammer")  # fmt: skip


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
    assert [line.strip() for line in drawn(view, 80)] == ["[1/1]"]


def test_after_the_last_verdict_no_trial_goes_on() -> None:
    view = RunView()
    view.planned([LONG, LONG])
    view.phase(LONG, Phase.AFTER)
    view.finished(Trial(id=LONG, verdict=Verdict.PASS, reason=""))
    assert [line.strip() for line in drawn(view, 80)] == ["[2/2]"]
    view.finished(Trial(id=LONG, verdict=Verdict.PASS, reason=""))
    assert drawn(view, 80) == ["writing the reports"]
