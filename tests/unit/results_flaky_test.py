"""What is flaky is called so wherever verdicts are shown."""

from __future__ import annotations

import msgspec
import pytest
from results_samples import passing

from lpharness.cli.live import RunView
from lpharness.results.figures import Figures
from lpharness.results.flaky import counting, flaky
from lpharness.results.html import HtmlReport
from lpharness.results.junit import junit
from lpharness.results.ktap import ktap
from lpharness.results.markdown import markdown
from lpharness.results.model import Trial, Verdict
from lpharness.results.story import Story

STEADY = passing()[0]


def unsteady() -> list[Trial]:
    error = msgspec.structs.replace(STEADY, verdict=Verdict.ERROR, reason="no answer")
    again = msgspec.structs.replace(STEADY, id=msgspec.structs.replace(STEADY.id, attempt=1))
    return [error, again]


def test_the_order_of_reading_does_not_matter() -> None:
    for trials in (unsteady(), unsteady()[::-1]):
        assert [one.verdict for one in counting(trials)] == [Verdict.PASS]
        assert [one.words for one in flaky(trials)] == ["error, pass"]
    assert flaky([STEADY]) == []


def test_it_is_told_in_each_report(capsys: pytest.CaptureFixture[str]) -> None:
    trials = unsteady()
    slug = STEADY.id.slug
    page = HtmlReport("run")
    for trial in trials:
        page.add(Story(trial=trial, name=trial.id.slug))
    assert "<strong>flaky</strong>" in page.render()
    text = markdown([(trial, Figures()) for trial in trials])
    assert text.startswith("## lpharness: 1 error, 1 pass, 1 flaky\n")
    assert "- **flaky** " in text
    assert junit(trials).decode().count('<property name="flaky" value="error, pass"') == 2
    assert ktap(trials).endswith(f"# flaky: {slug}: error, pass\n")
    RunView().summarise(trials, trials, {}, {})
    assert "flaky     " in capsys.readouterr().out


def test_what_is_steady_is_not_called_flaky() -> None:
    page = HtmlReport("run")
    page.add(Story(trial=STEADY, name="x"))
    for text in (page.render(), markdown([(STEADY, Figures())]), ktap([STEADY])):
        assert "flaky" not in text
    assert b"flaky" not in junit([STEADY])
