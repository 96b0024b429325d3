import re
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml
from results_samples import (
    HOSTILE,
    SAMPLES,
    broken,
    failing,
    hostile,
    passing,
    skipped,
    write,
    write_all,
)
from rich.console import Console
from typer.testing import CliRunner

from lpharness.base.errors import InputError
from lpharness.cli.report import app
from lpharness.results.excerpt import excerpt
from lpharness.results.figures import figures
from lpharness.results.folder import RunFolder
from lpharness.results.junit import junit
from lpharness.results.ktap import ktap
from lpharness.results.markdown import markdown
from lpharness.results.model import Build, CheckResult, Evidence, Trial, TrialId, Verdict
from lpharness.results.schema import trial_schema
from lpharness.results.terminal import verdict_table
from lpharness.results.writers import write_reports
from lpharness.timeline.events import ConsoleFound

TRIALS = [make()[0] for make in SAMPLES.values()]
ROOT = Path(__file__).parents[2]


def _trial(verdict: Verdict, *checks: Verdict, said: str = "why") -> Trial:
    return Trial(
        id=TrialId(case="c", kernel="k", workload="w"),
        verdict=verdict,
        reason=said,
        checks=tuple(
            CheckResult(check=f"check-{number}", verdict=each, summary=said)
            for number, each in enumerate(checks)
        ),
    )


# --- the schema ----------------------------------------------------------------------------


def test_the_published_schema_is_current() -> None:
    published = (ROOT / "docs/trial.schema.json").read_text()
    assert published == trial_schema(), (
        "run: python -m lpharness.results.schema > docs/trial.schema.json"
    )


# --- JUnit ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "tag"),
    [
        (Verdict.FAIL, "failure"),
        (Verdict.XPASS, "failure"),
        (Verdict.ERROR, "error"),
        (Verdict.SKIP, "skipped"),
        (Verdict.XFAIL, "skipped"),
        (Verdict.PASS, None),
    ],
)
def test_junit_maps_each_verdict(verdict: Verdict, tag: str | None) -> None:
    (case,) = ET.fromstring(junit([_trial(verdict, verdict)])).iter("testcase")
    outcomes = [child for child in case if child.tag != "system-out"]
    assert [child.tag for child in outcomes] == ([tag] if tag else [])
    assert all(child.get("type") == verdict.value for child in outcomes)


def test_junit_counts_add_up() -> None:
    root = ET.fromstring(junit(TRIALS))
    for counter, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        found = len(list(root.iter(tag)))
        assert sum(int(suite.get(counter, "-1")) for suite in root) == found > 0
        assert tag == "skipped" or int(root.get(counter, "-1")) == found
    assert int(root.get("tests", "-1")) == len(list(root.iter("testcase")))


def test_junit_tells_how_long_each_trial_took() -> None:
    trials = [_trial(Verdict.PASS, Verdict.PASS), _trial(Verdict.FAIL, Verdict.FAIL)]
    trials[0].seconds, trials[1].seconds = 12.3456, 2.0
    root = ET.fromstring(junit(trials))
    assert [suite.get("time") for suite in root] == ["12.346", "2.0"]
    assert root.get("time") == "14.346"


# Jenkins's junit-10.xsd, as far as we use it: an attribute that it does not know is refused there.
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message", "type"},
    "system-out": set(),
}


def test_junit_has_only_what_the_common_schema_knows() -> None:
    for element in ET.fromstring(junit(TRIALS)).iter():
        assert set(element.keys()) <= ATTRIBUTES[element.tag], element.tag


def test_junit_tells_of_a_trial_that_its_checks_do_not_explain() -> None:
    root = ET.fromstring(junit([broken()[0], _trial(Verdict.ERROR, Verdict.PASS)]))
    assert [case.get("name") for case in root.iter("testcase")] == ["trial", "check-0", "trial"]
    assert len(list(root.iter("error"))) == 2


def test_junit_carries_provenance_and_evidence() -> None:
    root = ET.fromstring(junit([failing()[0]]))
    properties = {each.get("name"): each.get("value") for each in root.iter("property")}
    assert properties["accelerator"] == "tcg"
    assert properties["kernel_package"] == "linux-image-6.1.0-56-cloud-amd64"
    assert str(properties["modules.lph_cmdline"]).startswith("0a1b2c")
    said = "\n".join(out.text or "" for out in root.iter("system-out"))
    assert "seen: BUG: kernel NULL pointer dereference" in said


@given(st.text(st.characters()), st.text(st.characters()))
def test_junit_is_well_formed_whatever_was_said(said: str, seen: str) -> None:
    trial = _trial(Verdict.FAIL, said=said)
    evidence = (Evidence(what=said, seen=seen, wanted=seen, good=False),)
    trial.checks = (CheckResult(check=said, verdict=Verdict.FAIL, summary=seen, evidence=evidence),)
    trial.provenance.modules = {said: seen}
    ET.fromstring(junit([trial]))


def test_junit_is_read_by_its_own_library(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_bytes(junit(TRIALS))
    suites = list(JUnitXml.fromfile(str(tmp_path / "junit.xml")))
    assert len(suites) == len(TRIALS)


# --- KTAP ----------------------------------------------------------------------------------


def parse_ktap(text: str, indent: str = "") -> list[tuple[bool, str, str]]:
    """Read KTAP 1 as ``Documentation/dev-tools/ktap.rst`` has it; nested tests are checked too."""
    lines = text.split("\n")
    assert lines.pop() == ""
    return _level(lines, "")


def _level(lines: list[str], indent: str) -> list[tuple[bool, str, str]]:
    assert lines.pop(0) == f"{indent}KTAP version 1"
    while lines[0].startswith(f"{indent}# "):
        lines.pop(0)
    plan = re.fullmatch(rf"{indent}1\.\.(\d+)", lines.pop(0))
    assert plan
    results: list[tuple[bool, str, str]] = []
    while len(results) < int(plan[1]):
        if lines[0] == f"{indent}  KTAP version 1":
            nested = _level(lines, f"{indent}  ")
            assert nested
        line = lines.pop(0)
        if line.startswith(f"{indent}#"):
            continue
        result = re.fullmatch(rf"{indent}(ok|not ok) (\d+) ([^#]+?)(?: # ([A-Z]+)(?: .*)?)?", line)
        assert result, line
        assert int(result[2]) == len(results) + 1
        results.append((result[1] == "ok", result[3], result[4] or ""))
    return results


def test_ktap_maps_each_verdict() -> None:
    found = parse_ktap(ktap([_trial(verdict, verdict) for verdict in Verdict]))
    assert [(good, directive) for good, _, directive in found] == [
        (True, ""),
        (False, ""),
        (False, "ERROR"),
        (True, "SKIP"),
        (True, "XFAIL"),
        (False, ""),
    ]


def test_ktap_of_the_samples_can_be_parsed() -> None:
    found = parse_ktap(ktap(TRIALS))
    assert [good for good, _, _ in found] == [
        trial.verdict in (Verdict.PASS, Verdict.SKIP, Verdict.XFAIL) for trial in TRIALS
    ]


def test_ktap_of_nothing_plans_nothing() -> None:
    assert ktap([]) == "KTAP version 1\n1..0\n"


@given(st.text(st.characters()))
def test_ktap_cannot_be_forged(said: str) -> None:
    trial = _trial(Verdict.FAIL, Verdict.SKIP, Verdict.FAIL, said=said)
    trial.id = TrialId(case=said, kernel="k", workload="w")
    ((good, _, directive),) = parse_ktap(ktap([trial]))
    assert not good
    assert directive == ""


# --- Markdown ------------------------------------------------------------------------------


def _rows() -> list[tuple[Trial, object]]:
    return [(make()[0], figures(make()[1])) for make in SAMPLES.values()]


def test_markdown_shows_verdicts_figures_and_what_went_wrong() -> None:
    text = markdown([(failing()[0], figures(failing()[1]))])
    assert text.startswith("## lpharness: 1 fail\n")
    assert "| ❌ fail | syscall | 6.1.0-56-cloud-amd64 | syscall-hammer | \u2013 | 1.28 s |" in text
    assert "seen:   BUG: kernel NULL pointer dereference" in text
    assert "redirected" not in text  # it passed


def test_markdown_lets_no_markup_mention_or_cell_through() -> None:
    text = markdown([(hostile()[0], figures(hostile()[1]))])
    outside = re.sub(r"(?ms)^\s*(`{3,})text$.*?^\s*\1$", "", text)
    assert "```" in text.removeprefix(outside)
    assert not re.findall(r"<(?!/?(?:details|summary)>)", outside)
    assert "@x" not in outside
    row = next(line for line in text.split("\n") if line.startswith("| ❌"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 10


@pytest.mark.parametrize("make", [failing, passing, hostile])
def test_markdown_fits_a_comment(make: object) -> None:
    trial, events, _ = make()  # type: ignore[operator]
    assert len(markdown([(trial, figures(events))] * 400)) < 65_000


# --- terminal ------------------------------------------------------------------------------


def _printed(trials: list[Trial], **more: object) -> str:
    console = Console(width=200, color_system=None, file=None, record=True, quiet=False)
    with console.capture() as capture:
        console.print(verdict_table(trials, **more))  # type: ignore[arg-type]
    return capture.get()


def test_the_table_has_verdict_time_and_reason() -> None:
    trial, events, _ = failing()
    text = _printed([trial], figures={trial.id.slug: figures(events)})
    assert re.search(
        r"fail +syscall +6\.1\.0-56-cloud-amd64 +syscall-hammer +1\.28 s +6\.20 s", text
    )
    assert "\n         the workload ended 3.3 s early" in text


REFUSED = Build(
    verdict=Verdict.FAIL, kind="layout", reason="struct x grew", detail="first\nsecond", seconds=2.5
)


def test_a_build_is_told_apart_from_the_run() -> None:
    trial, events, _ = passing()
    well = msgspec.structs.replace(trial, build=Build(verdict=Verdict.PASS, seconds=2.5))
    found = {trial.id.slug: figures(events)}
    assert "built in" in _printed([well], figures=found)
    assert "2.50 s" in _printed([well], figures=found)
    assert "built in" not in _printed([trial], figures=found)
    assert "| 2.50 s |" in markdown([(well, figures(events))])
    lines = ktap([well]).splitlines()
    assert f"  1..{len(trial.checks) + 1}" in lines
    assert "  ok 1 build" in lines
    suite = ET.fromstring(junit([well])).find("testsuite")
    assert suite is not None
    case = suite.find("testcase[@name='build']")
    assert case is not None
    assert (case.get("time"), float(suite.get("time") or 0)) == ("2.5", trial.seconds + 2.5)


def test_a_refused_build_is_all_that_there_is_to_tell() -> None:
    id_ = passing()[0].id
    trial = Trial(
        id=id_, verdict=Verdict.FAIL, reason="build: layout", build=REFUSED, finished=True
    )
    assert "layout" in _printed([trial], figures={})
    text = markdown([(trial, figures([]))])
    assert "| ❌ layout |" in text
    assert "second" in text
    assert "  not ok 1 build" in ktap([trial])
    suite = ET.fromstring(junit([trial])).find("testsuite")
    assert suite is not None
    assert [case.get("name") for case in suite.iter("testcase")] == ["build"]


def test_the_table_shows_hostile_words_as_words() -> None:
    text = _printed([_trial(Verdict.FAIL, said="[red]x[/] [/nope] \x1b[31m")])
    assert "[red]x[/] [/nope] ⟨U+001B⟩[31m" in text
    assert "\x1b" not in text


# --- the console's excerpt -----------------------------------------------------------------


def _found(line: int, severity: str = "fatal") -> ConsoleFound:
    return ConsoleFound(host_ns=0, name="oops", severity=severity, line=line, text="Oops")


def test_a_short_console_is_shown_whole() -> None:
    shown = excerpt(["a", "b"], [_found(2)])
    assert [[line.text for line in part.lines] for part in shown.passages] == [["a", "b"]]
    assert shown.passages[0].lines[1].severity == "fatal"


def test_a_long_console_is_folded_around_the_findings() -> None:
    shown = excerpt([f"line {n}" for n in range(1, 5001)], [_found(2000)])
    assert [(part.folded, part.skipped, len(part.lines)) for part in shown.passages] == [
        (True, 1993, 0),
        (False, 0, 47),
        (True, 2960, 0),
    ]
    assert shown.total == 5000


def test_a_line_that_evidence_cites_can_be_linked_to() -> None:
    lines = [f"line {n}" for n in range(1, 5001)]
    assert 3000 in excerpt(lines, [], [3000]).numbers
    assert 3000 not in excerpt(lines, []).numbers


def test_a_console_without_findings_ends_with_its_end() -> None:
    shown = excerpt([f"line {n}" for n in range(1, 101)], [])
    assert shown.passages[-1].lines[-1].text == "line 100"
    assert shown.passages[0].folded


@given(st.lists(st.integers(-5, 3000), max_size=200), st.integers(0, 2500))
def test_every_line_is_shown_folded_or_counted(findings: list[int], total: int) -> None:
    shown = excerpt(["x"] * total, [_found(line) for line in findings])
    assert sum(len(part.lines) + part.skipped for part in shown.passages) == total
    numbers = [line.number for part in shown.passages for line in part.lines]
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= 1200


def test_a_severity_that_nobody_knows_is_odd() -> None:
    (found,) = excerpt(["x"], [_found(1, HOSTILE)]).found
    assert found.severity == "odd"


# --- all of them ---------------------------------------------------------------------------


def test_all_reports_are_written_and_named(tmp_path: Path) -> None:
    paths = write_reports(write_all(tmp_path / "run"))
    assert {name: path.name for name, path in paths.items()} == {
        "html": "report.html",
        "junit": "junit.xml",
        "ktap": "report.ktap",
        "markdown": "summary.md",
    }
    assert all(path.stat().st_size > 1000 for path in paths.values())
    assert not list(tmp_path.glob("run/.lpharness-tmp-*"))


def test_an_empty_run_has_reports_too(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as run:
        paths = write_reports(run)
    assert "no trials" in paths["html"].read_text()


def test_a_torn_timeline_costs_only_itself(tmp_path: Path) -> None:
    run = write_all(tmp_path / "run")
    folder = run.trial(passing()[0].id)
    folder.timeline_path.write_text("{}\n" + folder.timeline_path.read_text())
    page = write_reports(run)["html"].read_text()
    assert "The timeline could not be read" in page


def test_the_command_writes_them_again(tmp_path: Path) -> None:
    write_all(tmp_path / "run")
    result = CliRunner().invoke(app, [str(tmp_path / "run")])
    assert result.exit_code == 0
    assert str(tmp_path / "run/report.html") in result.stdout
    assert (tmp_path / "run/report.html").is_file()


def test_the_command_refuses_another_folder(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(tmp_path)])
    assert isinstance(result.exception, InputError)


def test_of_very_many_trials_people_are_told_the_worst_and_programs_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lpharness.results.writers._MOST", 2)
    with RunFolder.create(tmp_path / "run") as run:
        for sample in (passing(), failing(), broken(), skipped()):
            write(run, sample)
        paths = write_reports(run)
    bad = {trial.id.slug for trial in (failing()[0], broken()[0])}
    page = paths["html"].read_text()
    assert "2 more trials, which came out no worse" in page
    assert "1 fail, 1 error" in page
    summary = paths["markdown"].read_text()
    assert "| | … 2 more | | | | | | | |" in summary
    suites = {suite.get("name") for suite in ET.parse(paths["junit"]).getroot().iter("testsuite")}
    assert len(suites) == 4
    assert bad < suites
    assert "1..4\n" in paths["ktap"].read_text()
