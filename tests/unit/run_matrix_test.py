"""A release laid out in a file: what it comes to, what is wrong with it, what comes first."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
from run_support import RELEASE, cell

from lpharness.base.errors import InputError
from lpharness.base.resources import data_dir
from lpharness.cases import load
from lpharness.cli.dry_run import show_plan
from lpharness.executor.capacity import Capacity
from lpharness.results.model import TrialId, Verdict
from lpharness.run import matrix
from lpharness.run.attempts import Attempt, AttemptLog
from lpharness.run.cells import Cell, Wanted
from lpharness.run.history import Past, Runs, runs_beside
from lpharness.run.layout import Layout, keep, resumed, typed
from lpharness.run.order import at_a_time, estimate, expectations, failures_first
from lpharness.run.prepare import with_seed
from lpharness.run.remembered import Remembered, _lines, history_for
from lpharness.run.request import Request, Settings
from lpharness.store.expect import Expectation
from lpharness.store.trials import Line

WHOLE = """
cases = ["cmdline", "hot-syscall"]
kernels = ["debian:6.1-cloud", "debian:6.12-cloud"]
workloads = ["idle", "syscall-hammer"]
repeats = 2
timeout_s = 90
seed = 7
retries = 3

[guest]
cpus = 4

[[exclude]]
case = "hot-*"
kernel = "*6.12*"

[[include]]
cases = ["module-function"]
kernels = ["debian:6.1-cloud"]
workloads = "all"
variants = ["patch-first"]
"""


@pytest.fixture(autouse=True)
def _kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know releases without asking the archive."""
    monkeypatch.setattr(
        matrix, "release_of", lambda spec, **_: spec.removeprefix("debian:").replace("-", ".0-1-")
    )


def lay_out(folder: Path, text: str = WHOLE, *changes: tuple[str, str]) -> Layout:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = folder / "release.toml"
    file.write_text(text)
    return matrix.lay_out(file)


def test_it_is_a_product_less_what_is_excluded_and_what_is_included(tmp_path: Path) -> None:
    layout = lay_out(tmp_path)
    cells = {(cell.case.name, cell.release): cell.wanted for cell in layout.cells}
    assert [(case, kernel, len(wanted)) for (case, kernel), wanted in cells.items()] == [
        ("cmdline", "6.1.0-1-cloud", 4),
        ("hot-syscall", "6.1.0-1-cloud", 4),
        ("cmdline", "6.12.0-1-cloud", 4),
        ("module-function", "6.1.0-1-cloud", 5),
    ]
    first = cells["cmdline", "6.1.0-1-cloud"][1]
    assert first == Wanted(workload="idle", repeat=1, timeout_s=90)
    included = cells["module-function", "6.1.0-1-cloud"][0]
    assert (included.variant, included.repeat, included.timeout_s) == ("patch-first", 0, 0)
    assert (layout.settings.cpus, layout.settings.seed, layout.retries) == (4, 7, 3)
    assert len(layout.order) == len(set(layout.order)) == 17


def test_includes_alone_will_do(tmp_path: Path) -> None:
    text = WHOLE[WHOLE.index("[[include]]") :]
    assert len(lay_out(tmp_path, text).order) == 5


def test_what_is_included_of_a_cell_is_built_with_it(tmp_path: Path) -> None:
    more = ('cases = ["module-function"]', 'cases = ["cmdline"]')
    others = [
        ('workloads = "all"', 'workloads = ["fork-storm"]'),
        ('variants = ["patch-first"]', ""),
    ]
    layout = lay_out(tmp_path, WHOLE, more, *others)
    assert [cell.case.name for cell in layout.cells].count("cmdline") == 2
    assert layout.cells[0].wanted[-1].workload == "fork-storm"


def test_cases_are_found_from_where_the_file_is_and_by_tag(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    bundled = matrix.load("cmdline").folder
    assert bundled is not None
    for file in bundled.iterdir():
        (own / file.name).write_bytes(file.read_bytes())
    layout = lay_out(
        tmp_path, 'cases = ["./own"]\ntags = ["quick"]\nkernels = ["debian:6.1-cloud"]'
    )
    names = [cell.case.name for cell in layout.cells]
    assert names[0] == "own"
    assert "cmdline" in names


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("repeats = 2", "repeats = ", "not TOML: Invalid value (at line 5, column 11)"),
        ("repeats = 2", 'repeats = "2"', "repeats: expected `int`, got `str`"),
        ("repeats = 2", "repeats = 0", "top level: repeats: 0 is less than once"),
        ("repeats = 2", "repeat = 2", "unknown key `repeat` (did you mean `repeats`?)"),
        ("timeout_s = 90", "timeout_s = -1", "timeout_s: -1 s is less than no time"),
        ("retries = 3", "retries = -3", "retries: -3 is less than none"),
        ('case = "hot-*"', 'cas = "hot-*"', "unknown key `exclude[0].cas`"),
        ('"*6.12*"', '"*6.13*"', "exclude[0]: leaves nothing out"),
        ('"module-function"', '"module-functio"', "include[0]: no case 'module-functio'"),
        ('workloads = "all"', 'workloads = "idle"', 'include[0]: workloads: \'idle\' is no list'),
        ('["idle", "syscall-hammer"]', '["idle", "hammer"]', "top level: no workload 'hammer'"),
        ("seed = 7", 'models = ["ksplce"]', "no model 'ksplce'"),
        ("cpus = 4", 'accelerator = "fast"', "guest.accelerator: invalid enum value 'fast'"),
        ('["cmdline", "hot-syscall"]', "[]", "top level: names no case"),
        ('kernels = ["debian:6.1-cloud"]', "kernels = []", "include[0]: names no kernel"),
        ('["cmdline", "hot-syscall"]', '["cmdline", "hot-syscall", "module-function"]',
         "would be tried twice"),
        ('case = "hot-*"\nkernel = "*6.12*"', "", "include"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    changes = [(old, new)]
    if says == "would be tried twice":
        changes.append(('variants = ["patch-first"]', ""))
    if says == "include":  # nothing is left at all
        changes = [
            (WHOLE[WHOLE.index("[[include]]") :], ""),
            ('"hot-*"', '"*"'),
            ('"*6.12*"', '"*"'),
        ]
        says = "nothing is left to be tried"
    with pytest.raises(InputError) as caught:
        lay_out(tmp_path, WHOLE, *changes)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'release.toml'}: ")
    assert "\n" not in caught.value.message


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        matrix.lay_out(tmp_path / "none.toml")


# --- what is known of earlier runs ------------------------------------------------------------


def run_in(folder: Path, **tried: tuple[Verdict, float]) -> Path:
    folder.mkdir(parents=True)
    log = AttemptLog(folder)
    log.begin()
    for case, (verdict, seconds) in tried.items():
        name = TrialId(case=case, kernel=RELEASE, workload="idle")
        log.add(Attempt(id=name, verdict=verdict, seconds=seconds))
    return folder


def name(case: str, kernel: str = RELEASE) -> TrialId:
    return TrialId(case=case, kernel=kernel, workload="idle")


def test_the_newest_run_speaks_and_of_repeats_the_worst(tmp_path: Path) -> None:
    old = run_in(tmp_path / "old", a=(Verdict.FAIL, 9), b=(Verdict.PASS, 5))
    new = run_in(tmp_path / "new", a=(Verdict.PASS, 7))
    log = AttemptLog(new)
    log.add(Attempt(id=name("c"), verdict=Verdict.PASS, seconds=1))
    again = msgspec.structs.replace(name("c"), repeat=1)
    log.add(Attempt(id=again, verdict=Verdict.FAIL, seconds=2))
    log.add(Attempt(id=name("d"), verdict=Verdict.ERROR, last=False))
    history = Runs([new, old])
    assert history.past(name("a")) == Past(verdict=Verdict.PASS, seconds=7)
    assert history.past(name("b")) == Past(verdict=Verdict.PASS, seconds=5)
    assert history.past(again) == Past(verdict=Verdict.FAIL, seconds=2)
    assert history.past(name("a", "6.2")) == Past(verdict=None, seconds=7)
    assert history.past(name("d")) is None


def test_runs_beside_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_in(tmp_path / "results" / "one", a=(Verdict.FAIL, 9))
    monkeypatch.chdir(tmp_path)
    assert runs_beside(None).past(name("a")) == Past(verdict=Verdict.FAIL, seconds=9)
    assert runs_beside(tmp_path / "results" / "next").past(name("a")) is not None
    assert runs_beside(tmp_path / "nowhere" / "next").past(name("a")) is None


class Known(dict[str, Past]):
    def past(self, trial: TrialId) -> Past | None:
        return self.get(trial.case)


def test_what_failed_comes_first_then_what_nobody_knows_then_what_is_longest() -> None:
    layout = typed(Settings(), [cell(case) for case in ("short", "long", "new", "bad", "worse")])
    history = Known(
        short=Past(verdict=Verdict.PASS, seconds=1), long=Past(verdict=Verdict.PASS, seconds=9),
        bad=Past(verdict=Verdict.ERROR, seconds=1), worse=Past(verdict=Verdict.FAIL, seconds=2),
    )  # fmt: skip
    ordered = failures_first(layout, history)
    assert [name.case for name in ordered.order] == ["worse", "bad", "new", "long", "short"]
    assert expectations(layout.order, history) == {
        name: past.seconds for name in layout.order if (past := history.past(name))
    }


def test_what_was_typed_is_kept_without_its_cases(tmp_path: Path) -> None:
    wanted = cell("cmdline")
    case = msgspec.structs.replace(wanted.case, folder=tmp_path)  # as the loader sets it
    request = Request(cases=(case,), kernels=(wanted.kernel,))
    keep(typed(with_seed(request), [wanted]), tmp_path)
    assert '"seed"' in (tmp_path / "plan.json").read_text()


def test_an_estimate_takes_several_at_a_time() -> None:
    layout = typed(Settings(), [cell(case) for case in "abcd"])
    history = Known(
        {
            case: Past(verdict=Verdict.PASS, seconds=s)
            for case, s in zip("abc", (9, 3, 6), strict=True)
        }
    )
    found = estimate(layout, history, 2)
    assert (found.trials, found.remembered, found.at_a_time) == (4, 3, 2)
    assert found.seconds == 15.0  # 9 and then d, of 6; beside them 3 and 6
    assert estimate(layout, Known(), 1).seconds == 48.0


def test_room_is_for_guests_of_some_cpus_and_memory() -> None:
    machine = Capacity(cpus=8, memory_mb=4096)
    assert at_a_time(Settings(), machine) == 5
    assert at_a_time(Settings(memory_mb=128, cpus=4), machine) == 4
    assert at_a_time(Settings(memory_mb=128, accelerator="kvm"), machine) == 4
    assert at_a_time(Settings(memory_mb=1 << 20), machine) == 1


# --- what is kept, and shown ------------------------------------------------------------------


def test_a_run_is_gone_on_with_where_it_was(tmp_path: Path) -> None:
    layout = lay_out(tmp_path)
    keep(layout, tmp_path)
    log = AttemptLog(tmp_path)
    log.begin()
    through, open_ = layout.order[0], layout.order[1]
    log.add(Attempt(id=through, verdict=Verdict.ERROR, last=False))
    log.add(Attempt(id=msgspec.structs.replace(through, attempt=1), verdict=Verdict.PASS))
    log.add(Attempt(id=open_, verdict=Verdict.ERROR, last=False))
    rest = resumed(tmp_path)
    assert rest.order == layout.order[1:]
    assert {name for name, _, _ in rest.wanted()} == set(layout.order[1:])
    assert (rest.settings, rest.retries) == (layout.settings, 3)
    assert rest.cells[0].case == layout.cells[0].case


@pytest.mark.parametrize("name", ["of-ones-own", "cmdline"])
def test_a_case_in_a_folder_of_ones_own_is_found_again(tmp_path: Path, name: str) -> None:
    """Also one that has the name of a bundled one."""
    own = load(shutil.copytree(data_dir("patches") / "stall", tmp_path / name))
    wanted = Cell(case=own, kernel=RELEASE, release=RELEASE, wanted=(Wanted(workload="idle"),))
    keep(typed(Settings(), [wanted]), tmp_path)
    (found,) = resumed(tmp_path).cells
    assert found.case == own


def test_what_holds_no_plan_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no plan\.json"):
        resumed(tmp_path)
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(InputError, match="not a run's plan"):
        resumed(tmp_path)


def test_a_dry_run_tells_each_trial_and_how_long_it_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_in(tmp_path / "one", a=(Verdict.FAIL, 90), b=(Verdict.PASS, 5))
    layout = typed(Settings(), [cell("a"), cell("b"), cell("c")])
    show_plan(layout, tmp_path / "next", 1, json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:3] == ["1", "a", RELEASE]
    assert lines[1].split()[-3:] == ["fail", "90", "s"]
    assert lines[-1].startswith("3 trials of 3 cells, 1 at a time: about 2 min; by what 2 of them")
    show_plan(layout, tmp_path / "next", 2, json=True)
    found = msgspec.json.decode(capsys.readouterr().out)
    assert found["estimate"]["seconds"] == 90.0
    assert found["trials"][0]["last_time"] == {"verdict": "fail", "seconds": 90.0}


def test_a_store_is_asked_first_by_the_kernel_as_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LPHARNESS_STORE", raising=False)
    run_in(tmp_path / "one", a=(Verdict.FAIL, 9), b=(Verdict.FAIL, 8))
    layout = typed(Settings(), [cell("a"), cell("b")])
    a, b = layout.order
    next_run = tmp_path / "next"
    assert history_for(layout, next_run).past(a) == Past(verdict=Verdict.FAIL, seconds=9)
    assert history_for(layout, next_run, str(tmp_path / "none.sqlite")).past(a) is not None
    remembered = Remembered(
        {
            Line(case="a", variant="", target=layout.cells[0].kernel, workload="idle",
                 model="hybrid", backend="qemu"):
                Expectation(verdict=Verdict.PASS, seconds=5, trials=3)
        },
        _lines(layout),
        runs_beside(next_run),
    )  # fmt: skip
    assert remembered.past(a) == Past(verdict=Verdict.PASS, seconds=5)
    assert remembered.past(b) == Past(verdict=Verdict.FAIL, seconds=8)
