"""What a store must do, on any database: a suite that each inherits.

An inheriting class gives a fixture ``address`` with the name of a store that is not there yet.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import results_samples as samples
from msgspec.structs import replace
from sqlalchemy import inspect

from lpharness.base.errors import InputError, LpharnessError
from lpharness.bench.made_up import Shape, entry, fill
from lpharness.results.folder import RunFolder
from lpharness.results.model import TrialId, Verdict
from lpharness.store import Store, open_store
from lpharness.store.add import Source, add_run, add_trial, put
from lpharness.store.columns import storable
from lpharness.store.expect import expectations
from lpharness.store.export import Format, export
from lpharness.store.flaws import healings
from lpharness.store.history import histories
from lpharness.store.runs import runs, state_of, tag, untag
from lpharness.store.tables import HEAD, Base
from lpharness.store.trend import trends
from lpharness.store.trials import Which, find, measured, one, several

RECORDED = Path(__file__).parent.parent / "recordings" / "trials"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ID = TrialId(case="cmdline", kernel="6.1.0-56-cloud-amd64", workload="idle")
V = Verdict


def source(number: int = 1) -> Source:
    return Source(
        key=f"{number:032x}", created_at=NOW + timedelta(days=number), name=f"run-{number}"
    )


def keep(store: Store, *verdicts: Verdict, number: int = 1, id_: TrialId = ID, **said: object):
    """Put attempts of one trial into a run, an hour apart."""
    put(
        store,
        source(number),
        [
            entry(id_, verdict, NOW + timedelta(days=number, hours=hour), **said)
            for hour, verdict in enumerate(verdicts)
        ],
    )


def damage_document(trial: Path) -> None:
    (trial / "trial.json").write_text('{"id": {"case": "cm')


def make_newer(trial: Path) -> None:
    document = json.loads((trial / "trial.json").read_text())
    (trial / "trial.json").write_text(json.dumps(document | {"schema": 99}))


def drop_the_time(trial: Path) -> None:
    document = json.loads((trial / "trial.json").read_text())
    (trial / "trial.json").write_text(json.dumps(document | {"started_at": "yesterday"}))


def damage_timeline(trial: Path) -> None:
    lines = (trial / "timeline.jsonl").read_bytes().split(b"\n")
    (trial / "timeline.jsonl").write_bytes(b"\n".join([lines[0], b"\xff\x00", *lines[1:]]))


def drop_timeline(trial: Path) -> None:
    (trial / "timeline.jsonl").unlink()


def damage_case(trial: Path) -> None:
    (trial / "case.json").write_text("[]")


def go_at_once(children: Sequence[subprocess.Popen[str]]) -> None:
    """Let children that wait for a line go on together, and see that all end well."""
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, said = child.communicate(timeout=120)
        assert (child.returncode, said) == (0, "")


class StoreContract:
    """The suite."""

    @pytest.fixture
    def store(self, address: str) -> Iterator[Store]:
        with open_store(address, create=True) as opened:
            yield opened

    @pytest.fixture
    def run(self, tmp_path: Path) -> Path:
        return samples.write_all(tmp_path / "run").path

    # --- adding ---

    def test_what_was_found_is_what_was_added(self, store: Store, run: Path) -> None:
        added = add_run(store, run)
        trials = {storable(trial.id.slug): trial for trial in RunFolder.open(run).trials()}
        assert (added.added, added.unchanged, added.going_on) == (len(trials), 0, 0)
        for found in find(store):
            detail, trial = one(store, found.id), trials[found.slug]
            assert detail.trial == trial
            assert (found.verdict, found.seconds) == (trial.verdict, trial.seconds)
            assert found.started_at == datetime.fromisoformat(trial.started_at)
            assert Path(detail.folder).is_dir()
            assert detail.attempts == (found.id,)

    def test_measures_come_from_the_timeline_and_the_margins(
        self, store: Store, tmp_path: Path
    ) -> None:
        with RunFolder.create(tmp_path / "run") as run:
            folder = shutil.copytree(RECORDED / "cmdline", run.path / "trials" / "cmdline")
        document = json.loads((folder / "trial.json").read_text())
        document["started_at"] = NOW.isoformat()  # a recording's is left out
        (folder / "trial.json").write_text(json.dumps(document))
        add_run(store, run.path)
        ((measures),) = measured(store, Which()).values()
        told = {(measure.name, measure.phase) for measure in measures}
        assert {("transition", "patching"), ("transition", "unpatching")} <= told
        assert {("throughput", "patched"), ("stop", "during"), ("start", "restore")} <= told

    def test_the_same_twice_is_there_once(self, store: Store, run: Path, tmp_path: Path) -> None:
        first = add_run(store, run)
        moved = shutil.move(run, tmp_path / "elsewhere")
        second = add_run(store, Path(moved))
        assert (second.added, second.unchanged) == (0, first.added)
        (told,) = runs(store)
        assert told.attempts == first.added
        assert told.folder == str(tmp_path / "elsewhere")

    @pytest.mark.parametrize(
        "damage",
        [damage_document, make_newer, drop_the_time, damage_timeline, drop_timeline, damage_case],
    )
    def test_a_damaged_folder_is_refused_and_nothing_of_it_added(self, store, run, damage) -> None:
        slug = next(
            folder.path.name
            for folder in RunFolder.open(run).folders()
            if folder.load().verdict is Verdict.PASS
        )
        trial = run / "trials" / slug
        damage(trial)
        with pytest.raises(InputError) as refusal:
            add_run(store, run)
        assert str(trial) in refusal.value.message
        assert "\n" not in refusal.value.message
        assert runs(store) == []
        assert find(store) == []

    def test_what_is_still_going_on_waits_and_is_renewed_when_it_ends(
        self, store: Store, tmp_path: Path
    ) -> None:
        with RunFolder.create(tmp_path / "run") as run:
            trial = run.trial(ID).begin(ID, "boot")
            assert add_run(store, run.path).going_on == 1
            assert find(store) == []
        assert add_run(store, run.path).added == 1  # the run is dead: so it stays
        assert [found.finished for found in find(store)] == [False]
        trial.verdict, trial.finished, trial.reason = Verdict.PASS, True, "all well"
        run.trial(ID).write(trial)
        assert add_trial(store, run, run.trial(ID)).renewed == 1
        assert [(found.verdict, found.attempt) for found in find(store)] == [(V.PASS, 1)]

    def test_what_is_finished_is_not_undone_by_an_older_copy(self, store: Store) -> None:
        keep(store, V.PASS)
        older = entry(ID, V.ERROR, NOW + timedelta(days=1))
        older.trial.finished = False
        put(store, source(), [replace(older, digest="other")])
        assert [found.verdict for found in find(store)] == [V.PASS]

    def test_both_attempts_are_kept_and_the_last_counts(self, store: Store) -> None:
        keep(store, V.ERROR, V.PASS)
        assert [(found.verdict, found.attempt) for found in find(store)] == [(V.PASS, 2)]
        both = find(store, Which(attempts=True))
        assert [(found.verdict, found.attempt) for found in both] == [(V.ERROR, 1), (V.PASS, 2)]
        assert one(store, both[0].id).attempts == tuple(found.id for found in both)
        (run,) = runs(store)
        assert (run.verdicts, run.trials, run.attempts) == ({V.PASS: 1}, 1, 2)

    def test_attempts_are_numbered_by_time_not_by_when_they_were_added(self, store: Store) -> None:
        late, early = entry(ID, V.PASS, NOW + timedelta(hours=1)), entry(ID, V.ERROR, NOW)
        put(store, source(), [late])
        put(store, source(), [early])
        assert [found.verdict for found in find(store)] == [V.PASS]

    def test_an_attempt_of_the_same_second_is_another(self, store: Store) -> None:
        again = entry(replace(ID, attempt=1), V.PASS, NOW)
        put(store, source(), [again, entry(ID, V.ERROR, NOW)])
        assert [(found.verdict, found.attempt) for found in find(store)] == [(V.PASS, 2)]
        assert len({found.slug for found in find(store, Which(attempts=True))}) == 1

    def test_what_a_guest_says_is_kept_whatever_it_is(self, store: Store) -> None:
        made = entry(replace(ID, variant="a\x00b"), V.FAIL, NOW)
        made.trial.reason = samples.HOSTILE
        put(store, source(), [made])
        (found,) = find(store)
        assert found.line.variant == "a\ufffdb"
        assert "<script>" in found.reason
        assert "\x1b" not in found.reason

    def test_an_error_in_the_middle_leaves_nothing(self, store: Store) -> None:
        good = entry(ID, V.PASS, NOW)
        with pytest.raises(LpharnessError):
            put(store, source(), [good, replace(good, title="the same trial again")])
        assert (runs(store), find(store)) == ([], [])

    # --- several processes, and their end ---

    def test_two_processes_add_at_once_and_both_are_whole(
        self, store: Store, address: str, tmp_path: Path
    ) -> None:
        paths = [samples.write_all(tmp_path / f"run-{number}").path for number in range(2)]
        add = textwrap.dedent(
            """
            import sys
            from pathlib import Path
            from lpharness.store import open_store
            from lpharness.store.add import add_run
            print("ready", flush=True)
            sys.stdin.readline()
            with open_store(sys.argv[1], create=True) as store:
                for path in sys.argv[2:]:
                    add_run(store, Path(path))
            """
        )
        children = [python(add, address, *map(str, order)) for order in (paths, paths[::-1], paths)]
        go_at_once(children)
        told = runs(store)
        assert [run.attempts for run in told] == [len(samples.SAMPLES)] * 2

    def test_many_make_one_store_at_once(self, address: str) -> None:
        make = textwrap.dedent(
            """
            import sys
            from lpharness.store import open_store
            import lpharness.store.migrate
            print("ready", flush=True)
            sys.stdin.readline()
            open_store(sys.argv[1], create=True).close()
            """
        )
        children = [python(make, address) for _ in range(4)]
        go_at_once(children)
        with open_store(address) as store:
            assert runs(store) == []

    def test_kill_9_in_the_middle_leaves_nothing_half(self, store: Store, address: str) -> None:
        keep(store, V.PASS)
        child = python(
            textwrap.dedent(
                """
                import sys
                from datetime import UTC, datetime
                from sqlalchemy import func, select
                from lpharness.bench.made_up import entry
                from lpharness.results.model import TrialId, Verdict
                from lpharness.store import open_store
                from lpharness.store import add
                from lpharness.store.tables import MeasureRow

                number_attempts = add._number_attempts
                def stop(session, *rest):
                    number_attempts(session, *rest)
                    print(session.scalar(select(func.count()).select_from(MeasureRow)), flush=True)
                    sys.stdin.readline()  # killed here, when all is written and nothing committed

                add._number_attempts = stop
                now = datetime.now(UTC)
                ids = [TrialId(case=f"c{n}", kernel="k", workload="idle") for n in range(50)]
                with open_store(sys.argv[1]) as store:
                    entries = [entry(id_, Verdict.PASS, now) for id_ in ids]
                    add.put(store, add.Source(key="b" * 32, created_at=now, name="b"), entries)
                """
            ),
            address,
        )
        assert child.stdout is not None
        assert int(child.stdout.readline()) > 500
        os.kill(child.pid, signal.SIGKILL)
        child.communicate(timeout=60)
        assert [run.name for run in runs(store)] == ["run-1"]
        assert len(measured(store, Which(attempts=True))) == 1
        keep(store, V.PASS, number=2)  # and the dead one's lock is gone
        assert len(runs(store)) == 2

    # --- releases ---

    def test_a_release_is_a_name_for_runs(self, store: Store) -> None:
        for number in (1, 2, 3):
            keep(store, V.PASS, number=number)
        assert tag(store, "v12", "run-1") == 1
        assert tag(store, "v12", "run-2") == 1
        assert tag(store, "v12", "run-2") == 1  # again
        assert [run.name for run in runs(store, "v12")] == ["run-2", "run-1"]
        assert [run.tags for run in runs(store)] == [(), ("v12",), ("v12",)]
        assert [run.name for run in runs(store, "latest")] == ["run-3"]
        assert len(find(store, Which(run="v12"))) == 2
        assert untag(store, "v12") == 2
        with pytest.raises(InputError, match="no release and no run 'v12'"):
            runs(store, "v12")

    def test_a_run_is_found_by_the_beginning_of_its_key(self, store: Store) -> None:
        keep(store, V.PASS)
        assert [run.name for run in runs(store, "000000")] == ["run-1"]
        keep(store, V.PASS, number=2)
        with pytest.raises(InputError, match="2 runs are called '000000'"):
            runs(store, "000000")

    @pytest.mark.parametrize("name", ["", "latest", "v 12", "../v12", "v12\n", "run-1"])
    def test_a_bad_name_for_a_release_is_refused(self, store: Store, name: str) -> None:
        keep(store, V.PASS)
        with pytest.raises(InputError):
            tag(store, name, "run-1")
        assert [run.tags for run in runs(store)] == [()]

    # --- questions ---

    def test_since_when_it_fails_and_what_was_new_then(self, store: Store) -> None:
        for number, (verdict, module) in enumerate(
            zip((V.PASS, V.FAIL, V.PASS, V.FAIL, V.ERROR, V.FAIL), "aaabbc", strict=True)
        ):
            keep(store, verdict, number=number, module=module * 64)
        (history,) = histories(store)
        assert history.failing is not None
        assert history.failing.since.started_at == NOW + timedelta(days=3)
        assert history.failing.before is not None
        assert history.failing.before.started_at == NOW + timedelta(days=2)
        assert history.failing.changed == ("livepatch lph_cmdline",)
        assert (history.good, history.bad, history.silent) == (2, 3, 1)

    def test_a_kernel_that_moved_on_is_the_same_line(self, store: Store) -> None:
        keep(store, V.PASS, number=1)
        keep(store, V.FAIL, number=2, id_=replace(ID, kernel="6.1.0-57-cloud-amd64"))
        (history,) = histories(store, Which(kernel="debian:6.1-cloud"))
        assert history.failing is not None
        assert history.failing.changed == ("kernel 6.1.0-56-cloud-amd64 to 6.1.0-57-cloud-amd64",)

    def test_what_never_was_good_says_so(self, store: Store) -> None:
        keep(store, V.FAIL)
        (history,) = histories(store)
        assert history.failing is not None
        assert history.failing.before is None

    @pytest.mark.parametrize(
        ("verdicts", "modules", "flaky"),
        [
            ((V.PASS, V.FAIL), "aa", True),
            ((V.PASS, V.FAIL), "ab", False),  # not the same: the livepatch is a new one
            ((V.PASS, V.ERROR), "aa", False),  # nobody could say: not the patch's doing
            ((V.XFAIL, V.XPASS), "aa", True),
            ((V.PASS, V.XFAIL), "aa", False),
            ((V.FAIL, V.FAIL), "aa", False),
        ],
    )
    def test_flaky_is_the_very_same_that_came_out_now_so_now_so(
        self, store, verdicts, modules, flaky
    ) -> None:
        for number, (verdict, module) in enumerate(zip(verdicts, modules, strict=True)):
            keep(store, verdict, number=number, module=module * 64)
        (history,) = histories(store)
        assert history.flaky is flaky

    def test_a_second_attempt_does_not_hide_that_the_first_failed(self, store: Store) -> None:
        keep(store, V.FAIL, V.PASS)
        (history,) = histories(store)
        assert history.flaky

    def test_how_a_measure_moved_over_releases(self, store: Store) -> None:
        for number, slower in ((1, 1.0), (2, 1.0), (3, 2.0)):
            keep(store, V.PASS, V.PASS, number=number, slower=slower)
            for repeat in (1, 2):
                keep(store, V.PASS, number=number, id_=replace(ID, repeat=repeat), slower=slower)
        tag(store, "v1", "run-1")
        (trend,) = trends(store, Which(), "transition", "patching")
        assert [point.release for point in trend.points] == ["v1", "run-2", "run-3"]
        assert [len(point.values) for point in trend.points] == [3, 3, 3]
        first, second, third = (point.median for point in trend.points)
        assert first == second
        assert third == pytest.approx(2 * first)

    def test_by_cve(self, store: Store) -> None:
        keep(store, V.FAIL, number=1, cves=("CVE-2026-1234",))
        keep(store, V.PASS, number=2, cves=("CVE-2026-1234", "CVE-2026-1235"))
        keep(store, V.PASS, number=3, id_=replace(ID, kernel="other"), cves=())
        assert [(found.cve, found.kernel, found.verdicts) for found in healings(store)] == [
            ("CVE-2026-1234", ID.kernel, {V.PASS}),
            ("CVE-2026-1235", ID.kernel, {V.PASS}),
        ]
        assert len(find(store, Which(cve="CVE-2026-1234"))) == 2

    def test_what_to_expect_of_a_trial(self, store: Store) -> None:
        keep(store, V.PASS, V.FAIL)
        keep(store, V.SKIP, number=2)
        ((line, expected),) = expectations(store).items()
        assert (line.case, expected.verdict, expected.trials) == ("cmdline", V.FAIL, 1)
        assert 0 < expected.seconds < 60

    def test_whether_anything_has_changed(self, store: Store) -> None:
        seen = [state_of(store), state_of(store)]
        keep(store, V.PASS)
        seen.append(state_of(store))
        keep(store, V.PASS, V.FAIL)
        seen.append(state_of(store))
        tag(store, "v1", "latest")
        seen.append(state_of(store))
        untag(store, "v1")
        seen.append(state_of(store))
        assert len(set(seen)) == 4
        assert (seen[0], seen[3]) == (seen[1], seen[5])

    def test_several_trials_are_told_like_one_and_one(self, store: Store) -> None:
        keep(store, V.ERROR, V.PASS)
        keep(store, V.PASS, number=2)
        ids = [found.id for found in find(store, Which(attempts=True))]
        told = several(store, [*ids, 12345])
        assert told == {id_: one(store, id_) for id_ in ids}
        assert [len(told[id_].attempts) for id_ in ids] == [2, 2, 1]

    def test_which_trials(self, store: Store) -> None:
        fill(store, 40, shape=Shape(cases=2, kernels=2, workloads=2, repeats=2))
        assert len(find(store)) == 40
        assert len(find(store, Which(run="v1"))) == 16
        assert len(find(store, Which(run="v1", case="made-up-01"))) == 8
        assert len(find(store, Which(kernel="debian:6.1-cloud", run="latest"))) == 4
        exact = find(store, Which(run="v2"))[0].kernel
        assert {found.kernel for found in find(store, Which(kernel=exact))} == {exact}
        newest = find(store, Which(newest=3))
        assert newest == find(store)[-3:]
        with pytest.raises(InputError, match="has no trial 999999"):
            one(store, 999999)

    # --- export ---

    def test_both_exports_hold_the_same(self, store: Store, run: Path, tmp_path: Path) -> None:
        parquet = pytest.importorskip("pyarrow.parquet")
        add_run(store, run)
        keep(store, V.ERROR, V.PASS)
        count = export(store, tmp_path / "x.jsonl", Format.JSONL)
        assert export(store, tmp_path / "x.parquet", Format.PARQUET) == count
        lines = (tmp_path / "x.jsonl").read_bytes().splitlines()
        rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
        assert [msgspec.to_builtins(row) for row in rows] == [json.loads(line) for line in lines]
        assert len(rows) == count == len(samples.SAMPLES) + 2
        assert {row["attempt"] for row in rows if row["case"] == "cmdline"} >= {1, 2}

    def test_an_export_that_fails_leaves_no_file(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "x.jsonl").mkdir()
        with pytest.raises(LpharnessError, match="cannot write"):
            export(store, tmp_path / "x.jsonl", Format.JSONL)
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []

    # --- the schema ---

    def test_migrations_come_to_the_schema_that_the_code_knows(self, store: Store) -> None:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        with store.reading() as session:
            context = MigrationContext.configure(session.connection())
            assert context.get_current_revision() == HEAD
            assert compare_metadata(context, Base.metadata) == []

    def test_an_older_schema_is_migrated_and_keeps_what_it_held(self, address: str) -> None:
        with open_store(address, create=True) as new:
            keep(new, V.ERROR, V.PASS)
            with new.reading() as session:
                rows = {t.name: session.execute(t.select()).all() for t in TABLES}
            make_old(new)
        with open_store(address) as migrated:
            with migrated.reading() as session:
                for table in TABLES:
                    assert session.execute(table.select()).all() == rows[table.name]
            self.test_migrations_come_to_the_schema_that_the_code_knows(migrated)
            assert [found.attempt for found in find(migrated)] == [2]

    def test_a_newer_schema_is_refused(self, store: Store, address: str) -> None:
        from sqlalchemy import text

        with store.writing() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(InputError, match=rf"newer schema \(9999\) than .* \({HEAD}\)"):
            open_store(address)

    def test_a_database_of_something_else_is_refused_and_left_alone(
        self, store: Store, address: str
    ) -> None:
        from sqlalchemy import text

        with store.writing() as session:
            for table in [*reversed(Base.metadata.sorted_tables)]:
                session.execute(text(f"DROP TABLE {table.name}"))
            session.execute(text("DROP TABLE alembic_version"))
            session.execute(text("CREATE TABLE thesis (chapter INTEGER)"))
        with pytest.raises(InputError, match="holds a table 'thesis'"):
            open_store(address, create=True)
        with store.reading() as session:
            assert inspect(session.connection()).get_table_names() == ["thesis"]

    def test_a_store_that_is_not_there_is_not_made_by_a_question(self, address: str) -> None:
        with pytest.raises(InputError, match="there is no store at"):
            open_store(address)


TABLES = Base.metadata.sorted_tables


def make_old(store: Store) -> None:
    """Give a store the first schema, with the rows that it holds."""
    from alembic import command
    from sqlalchemy import text

    from lpharness.store.migrate import _configuration

    with store.reading() as session:
        rows = {table: session.execute(table.select()).mappings().all() for table in TABLES}
    with store.writing(migrates=True) as session:
        for table in reversed(TABLES):
            session.execute(text(f"DROP TABLE {table.name}"))
        session.execute(text("DROP TABLE alembic_version"))
        command.upgrade(_configuration(session.connection()), "0001")
        for table in TABLES:
            columns = inspect(session.connection()).get_columns(table.name)
            known = {column["name"] for column in columns}
            for row in rows[table]:
                old = {name: value for name, value in row.items() if name in known}
                session.execute(table.insert().values(old))
    store.engine.dispose()


def python(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
