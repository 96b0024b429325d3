"""``lpharness gate``: verdicts, holes and measures of a release held against another."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from lpharness.base.errors import InputError
from lpharness.bench.made_up import entry
from lpharness.cli.main import app
from lpharness.gate.annotations import github, gitlab
from lpharness.gate.decide import decide
from lpharness.gate.findings import Decision, Finding, Ship
from lpharness.gate.junit import junit
from lpharness.gate.markdown import markdown
from lpharness.gate.policy import Answers, Demand, Held, Policy, Statistics, read_policy
from lpharness.results.model import TrialId, Verdict
from lpharness.store import Store, open_store
from lpharness.store.add import Source, put
from lpharness.store.runs import tag

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ID = TrialId(case="cmdline", kernel="6.1.0-56-cloud-amd64", workload="idle")
V = Verdict
TRANSITION = Held(name="transition", phase="patching")
VERDICTS = Policy(require=(Demand(cases=("cmdline",), kernels=("debian:6.1-cloud",)),), measure=())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "store.sqlite"), create=True) as opened:
        yield opened


def keep(store: Store, release: str, *verdicts: Verdict, id_: TrialId = ID, **said: object) -> None:
    """Put a release's repeats of one trial into the store."""
    put(
        store,
        Source(key=release.ljust(32, "0"), created_at=NOW, name=f"run-{release}"),
        [
            entry(replace(id_, repeat=n), verdict, NOW + timedelta(minutes=n), **said)
            for n, verdict in enumerate(verdicts)
        ],
    )
    if release == "v12":
        tag(store, "v12", "run-v12")


def kinds(decision: Decision) -> list[str]:
    return [finding.kind for finding in decision.findings]


@pytest.mark.parametrize(
    ("before", "now", "kind", "ship"),
    [
        ([V.PASS], [V.PASS], [], Ship.YES),
        ([V.PASS], [V.FAIL], ["regression"], Ship.NO),
        ([V.XFAIL], [V.XPASS], ["regression"], Ship.NO),
        ([V.FAIL], [V.FAIL], ["failing"], Ship.NO),
        ([V.ERROR], [V.FAIL], ["failing"], Ship.NO),
        ([V.FAIL], [V.PASS], ["better"], Ship.YES),
        ([V.PASS, V.PASS], [V.PASS, V.FAIL], ["new_flake"], Ship.NO),
        ([V.PASS, V.FAIL], [V.FAIL, V.PASS], ["flake"], Ship.YES),
        ([V.PASS], [V.PASS, V.ERROR], [], Ship.YES),
    ],
)
def test_verdicts(store: Store, before, now, kind, ship) -> None:
    keep(store, "v12", *before)
    keep(store, "new", *now)
    decision = decide(store, VERDICTS, "v12", "run-new")
    assert (kinds(decision), decision.ship) == (kind, ship)


@pytest.mark.parametrize("now", [V.ERROR, V.SKIP])
def test_what_nobody_could_say_is_never_fine(store: Store, now: Verdict) -> None:
    keep(store, "v12", V.PASS)
    keep(store, "new", now)
    decision = decide(store, VERDICTS, "v12", "run-new")
    assert decision.ship is Ship.UNKNOWN
    assert set(kinds(decision)) == {"hole"}
    assert "made up: the transition hung" in decision.findings[0].said


def test_what_is_demanded_and_was_not_tried_is_a_hole(store: Store) -> None:
    demand = Demand(
        cases=("cmdline",), kernels=("debian:6.1-cloud", "debian:6.12-cloud"), workloads=("idle",),
        repeats=2,
    )  # fmt: skip
    keep(store, "v12", V.PASS)
    keep(store, "new", V.PASS)
    decision = decide(store, Policy(require=(demand,), measure=()), "v12", "run-new")
    assert (decision.ship, decision.met, decision.demands) == (Ship.UNKNOWN, 0, 2)
    assert [finding.said for finding in decision.findings] == [
        "said something 1 times, and 2 are demanded",
        "is demanded and was not tried",
    ]


def test_a_demand_may_name_the_exact_kernel(store: Store) -> None:
    keep(store, "v12", V.PASS)
    keep(store, "new", V.PASS)
    exact = Demand(cases=("cmdline",), kernels=(ID.kernel,))
    decision = decide(store, Policy(require=(exact,), measure=()), "v12", "run-new")
    assert (decision.ship, decision.met) == (Ship.YES, 1)


def test_what_the_baseline_had_is_missed(store: Store) -> None:
    keep(store, "v12", V.PASS)
    keep(store, "v12", V.PASS, id_=replace(ID, workload="fork-storm"))
    keep(store, "new", V.PASS)
    decision = decide(store, VERDICTS, "v12", "run-new")
    assert (kinds(decision), decision.ship) == (["gone"], Ship.UNKNOWN)


def test_a_second_attempt_that_is_good_is_a_flake(store: Store) -> None:
    keep(store, "v12", V.PASS)
    keep(store, "new", V.FAIL)
    keep(store, "new", V.PASS, id_=replace(ID, attempt=1))
    assert kinds(decide(store, VERDICTS, "v12", "run-new")) == ["new_flake"]


def test_the_policy_decides_what_a_finding_means(store: Store) -> None:
    keep(store, "v12", V.PASS)
    keep(store, "new", V.FAIL)
    for answer, ship in (("block", Ship.NO), ("hole", Ship.UNKNOWN), ("tell", Ship.YES)):
        policy = Policy(measure=(), answers=Answers(regression=answer))
        assert decide(store, policy, "v12", "run-new").ship is ship


# --- measures ---


def measured(store: Store, *, repeats: int, slower: float, **said: object) -> None:
    keep(store, "v12", *[V.PASS] * repeats)
    keep(store, "new", *[V.PASS] * repeats, slower=slower, **said)


def test_a_slow_down_is_found(store: Store) -> None:
    measured(store, repeats=8, slower=1.5)
    decision = decide(store, Policy(), "v12", "run-new")
    assert decision.ship is Ship.NO
    assert [finding.about for finding in decision.findings] == [
        f"{what} of cmdline on debian:6.1-cloud with idle"
        for what in ("transition patching", "transition unpatching", "stop during")
    ]
    assert "50% more than the baseline" in decision.findings[0].said
    assert "8 trials against 8" in decision.findings[0].said


def test_less_throughput_is_worse_and_more_is_not(store: Store) -> None:
    measured(store, repeats=8, slower=1.5)
    policy = Policy(measure=(Held(name="throughput", phase="during"),))
    assert kinds(decide(store, policy, "v12", "run-new")) == ["slower"]
    assert "33% less" in decide(store, policy, "v12", "run-new").findings[0].said
    assert kinds(decide(store, policy, "run-new", "v12")) == []


def test_a_share_of_its_own_does_not_mind_a_slower_machine(store: Store) -> None:
    measured(store, repeats=8, slower=1.5)
    policy = Policy(measure=(Held(name="throughput", phase="during", relative=True),))
    assert kinds(decide(store, policy, "v12", "run-new")) == []


def test_a_change_that_does_not_matter_is_no_slow_down(store: Store) -> None:
    measured(store, repeats=8, slower=1.5)
    policy = Policy(measure=(replace(TRANSITION, worse=0.6),))
    decision = decide(store, policy, "v12", "run-new")
    assert (kinds(decision), decision.ship) == ([], Ship.YES)


@pytest.mark.parametrize(("answer", "ship"), [("hole", Ship.UNKNOWN), ("tell", Ship.YES)])
def test_too_few_repeats_are_said_so_and_the_policy_decides(store, answer, ship) -> None:
    measured(store, repeats=2, slower=5.0)
    policy = Policy(measure=(TRANSITION,), answers=Answers(few=answer))
    decision = decide(store, policy, "v12", "run-new")
    assert (kinds(decision), decision.ship) == (["few"], ship)
    assert decision.findings[0].said == (
        "too few trials to say anything; 3 against as many of each line would do"
    )


def test_a_measure_that_nobody_took_is_not_fine(store: Store) -> None:
    keep(store, "v12", V.FAIL)  # what went wrong is not measured
    keep(store, "new", V.PASS)
    decision = decide(store, Policy(measure=(TRANSITION,)), "v12", "run-new")
    assert decision.ship is Ship.UNKNOWN
    assert "1 line without values on both sides" in decision.findings[0].said


def test_times_of_another_machine_are_not_compared(store: Store) -> None:
    keep(store, "v12", *[V.PASS] * 8)
    entries = [
        entry(replace(ID, repeat=n), V.PASS, NOW + timedelta(minutes=n), slower=3) for n in range(8)
    ]
    for made in entries:
        made.trial.provenance.host = "another"
    put(store, Source(key="a" * 32, created_at=NOW, name="run-new"), entries)
    policy = Policy(measure=(TRANSITION,))
    assert "elsewhere" in kinds(decide(store, policy, "v12", "run-new"))
    loose = replace(policy, statistics=Statistics(any_machine=True))
    assert kinds(decide(store, loose, "v12", "run-new")) == ["slower"]


def test_many_lines_tell_together_what_none_can_alone(store: Store) -> None:
    for number in range(8):
        id_ = replace(ID, case=f"case-{number}")
        keep(store, "v12", *[V.PASS] * 3, id_=id_)
        keep(store, "new", *[V.PASS] * 3, id_=id_, slower=1.5)
    policy = Policy(measure=(TRANSITION,), answers=Answers(few="tell"))
    decision = decide(store, policy, "v12", "run-new")
    assert decision.findings[0].about == "transition patching of all 8 lines together"
    assert kinds(decision) == ["slower", "few"]


# --- what it says, and where ---


@pytest.fixture
def refused(store: Store) -> Decision:
    keep(store, "v12", V.PASS)
    keep(store, "new", V.FAIL)
    return decide(store, Policy(require=VERDICTS.require), "v12", "run-new")


def test_the_answer_is_one_paragraph(refused: Decision) -> None:
    assert refused.answer == (
        "run-new must not ship, held against v12 (run-v12). There is 1 regression and 6 measures "
        "with too few trials to say. First: cmdline on debian:6.1-cloud with idle: was good and "
        "fails, 1 of 1 bad: fail: made up: the transition hung."
    )


HOSTILE = Finding(
    kind="failing", answer="block", about="a|b\n<script>", said="100% ::error::%0A\r\n[x](y) @all"
)


def test_what_a_guest_says_becomes_no_markup_and_no_command(refused: Decision) -> None:
    hostile = Decision(**{
        name: getattr(refused, name) for name in Decision.__struct_fields__
    } | {"findings": (HOSTILE,)})  # fmt: skip
    text = markdown(hostile)
    assert "<script>" not in text
    assert r"a\|b" in text
    assert r"\@all" in text
    (command,) = github(hostile)
    assert command.startswith("::error title=failing%3A a|b ↵ <script>::100%25 ")
    assert "\n" not in command
    ET.fromstring(junit(hostile))


def test_gitlabs_report_has_what_gitlab_needs(refused: Decision) -> None:
    report = json.loads(gitlab(refused, "ci/gate.toml"))
    assert len({issue["fingerprint"] for issue in report}) == len(report) == 7
    assert report[0]["severity"] == "blocker"
    assert {issue["severity"] for issue in report[1:]} == {"major"}
    assert report[0]["location"] == {"path": "ci/gate.toml", "lines": {"begin": 1}}
    assert set(report[0]) == {"description", "check_name", "fingerprint", "severity", "location"}


def test_junit_counts_what_blocks_as_failures_and_holes_as_errors(refused: Decision) -> None:
    suite = ET.fromstring(junit(refused)).find("testsuite")
    assert suite is not None
    assert (suite.get("failures"), suite.get("errors")) == ("1", "6")


# --- the policy's file ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[require]\n", "not TOML"),
        ("", None),
        ("[[requires]]", "unknown key `requires`"),
        ("[[require]]\ncases = ['a']", "the key `kernels` is missing"),
        ("[[require]]\ncases = []\nkernels = ['k']", "require[0].cases: names nothing"),
        ("[[require]]\ncases = ['a*']\nkernels = ['k']", "it has no patterns"),
        ("[[require]]\ncases = ['a']\nkernels = ['k']\nrepeats = 0", "less than one"),
        ("[[measure]]\nname = 'speed'", "no measure 'speed'; there are transition, stop"),
        ("[[measure]]\nname = 'transition'", "has no phase ''; there are patching, unpatching"),
        ("[[measure]]\nname = 'heartbeat'\nphase = 'x'", "there are none: leave it out"),
        ("[[measure]]\nname = 'heartbeat'\nworse = -1", "is no share"),
        ("[[measure]]\nname = 'heartbeat'\nrelative = true", "no value before the patch"),
        ("[[measure]]\nname = 'heartbeat'\n[[measure]]\nname = 'heartbeat'", "is there twice"),
        ("[answers]\nnew-flake = 'ignore'", "answers.new-flake: invalid enum value 'ignore'"),
        ("[answers]\nnew_flake = 'tell'", "did you mean `new-flake`?"),
        ("[statistics]\nalpha = 0.9", "not between 0 and 0.5"),
    ],
)
def test_a_faulty_policy_is_refused_in_one_line(
    tmp_path: Path, text: str, said: str | None
) -> None:
    file = tmp_path / "gate.toml"
    file.write_text(text)
    if said is None:
        assert read_policy(file) == Policy()
        return
    with pytest.raises(InputError) as refusal:
        read_policy(file)
    assert said in str(refusal.value)
    assert refusal.value.message.startswith(f"{file}: ")
    assert "\n" not in refusal.value.message


# --- the command ---


def test_the_command_answers_with_its_exit_status(store: Store, tmp_path: Path) -> None:
    keep(store, "v12", V.PASS)
    keep(store, "new", V.FAIL)
    policy = tmp_path / "gate.toml"
    policy.write_text("baseline = 'v12'\n[answers]\nfew = 'tell'\nregression = 'hole'")
    files = {"--markdown": "c.md", "--junit": "j.xml", "--code-quality": "q.json"}
    words = ["gate", "--policy", policy, "--store", store.name, "--candidate", "run-new"]
    words += [word for option, name in files.items() for word in (option, tmp_path / name)]
    result = CliRunner().invoke(app, [*map(str, words), "--annotations"])
    assert result.exit_code == 3, result.output
    assert result.output.startswith("Nobody can say whether run-new may ship")
    assert "::warning title=regression" in result.output
    assert all((tmp_path / name).stat().st_size for name in files.values())
    told = json.loads(CliRunner().invoke(app, [*map(str, words), "--json"]).output)
    assert (told["ship"], told["findings"][0]["kind"]) == (3, "regression")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--baseline", "v11"], "knows no release and no run 'v11'"),
        (["--baseline", "v12", "--candidate", "run-v12"], "have runs in common"),
        ([], "no baseline is named"),
        (["--baseline", "v12", "--json", "--annotations"], "both want standard output"),
    ],
)
def test_bad_input_is_refused(store: Store, tmp_path: Path, words: list[str], said: str) -> None:
    keep(store, "v12", V.PASS)
    keep(store, "new", V.PASS)
    (tmp_path / "gate.toml").write_text("")
    command = ["gate", "--policy", str(tmp_path / "gate.toml"), "--store", store.name, *words]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, InputError)
    assert said in result.exception.message
