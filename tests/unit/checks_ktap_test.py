"""KTAP is read as it was meant, whatever a test program makes of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lpharness.checks.ktap import KtapTest, parse_ktap
from lpharness.results.ktap import ktap
from lpharness.results.model import CheckResult, Trial, TrialId, Verdict

RUNNER = """\
TAP version 13
1..2
# timeout set to 0
# selftests: livepatch: test-livepatch.sh
# TEST: basic function patching ... ok
# TEST: multiple livepatches ... not ok
#
# --- expected
# ERROR: livepatch kselftest(s) failed
not ok 1 selftests: livepatch: test-livepatch.sh # exit=1
# selftests: livepatch: test-state.sh
ok 2 selftests: livepatch: test-state.sh # SKIP
"""


def test_what_the_kernels_runner_writes() -> None:
    read = parse_ktap(RUNNER)
    first, second = read.tests
    assert read.version
    assert (read.plan, read.missing) == (2, 0)
    assert (first.verdict, first.reason) == (Verdict.FAIL, "exit=1")
    assert first.name == "selftests: livepatch: test-livepatch.sh"
    assert "TEST: basic function patching ... ok" in first.diagnostics
    assert second.verdict is Verdict.SKIP
    assert "TEST: basic function patching ... ok" not in second.diagnostics


def test_subtests_belong_to_the_result_after_them() -> None:
    text = (
        "KTAP version 1\n1..1\n  KTAP version 1\n  # Subtest: outer\n  1..2\n"
        "    KTAP version 1\n    1..1\n    ok 1 deep\n  ok 1 - inner\n"
        "  not ok 2 other # TODO later\nok 1 outer\n"
    )
    (outer,) = parse_ktap(text).tests
    inner, other = outer.subtests
    assert (outer.name, outer.plan, outer.ok) == ("outer", 2, True)
    assert inner.name == "inner"
    assert [test.name for test in inner.subtests] == ["deep"]
    assert other.verdict is Verdict.XFAIL


def test_a_time_out_is_no_verdict_about_the_kernel() -> None:
    (test,) = parse_ktap("1..1\nnot ok 1 x # TIMEOUT 45 seconds\n").tests
    assert (test.verdict, test.reason) == (Verdict.ERROR, "45 seconds")


def test_what_was_cut_off_is_missed() -> None:
    read = parse_ktap("TAP version 13\n1..3\nok 1 a\n  # Subtest: b\n  1..2\n  ok 1 c\n")
    assert read.missing == 2
    assert [(test.name, test.ok) for test in read.tests] == [("a", True), ("b", None)]
    assert read.tests[1].verdict is Verdict.ERROR


def test_a_plan_can_skip_everything_and_a_program_can_give_up() -> None:
    assert parse_ktap("TAP version 13\n1..0 # SKIP not root\n").skipped == "not root"
    assert parse_ktap("1..2\nok 1 a\nBail out! no tracefs\n").bail == "no tracefs"


@given(st.text(max_size=400))
def test_any_text_has_a_reading(text: str) -> None:
    parse_ktap(text)


@given(
    st.lists(
        st.sampled_from(
            ["ok 1 a", "not ok 2", "ok", "1..2", "KTAP version 1", "# Subtest: x", "noise", "# y"]
        ).flatmap(lambda line: st.integers(0, 6).map(lambda indent: " " * indent + line)),
        max_size=30,
    )
)
def test_no_result_is_lost_however_lines_are_indented(lines: list[str]) -> None:
    def told(tests: tuple[KtapTest, ...]) -> int:
        return sum((test.ok is not None) + told(test.subtests) for test in tests)

    results = sum(1 for line in lines if line.strip().startswith(("ok", "not ok")))
    assert told(parse_ktap("\n".join(lines)).tests) == results


_NAMES = st.text("abcdefgh :-_", min_size=1, max_size=20).map(
    lambda name: f"n{' '.join(name.split())}"
)
_VERDICTS = st.sampled_from([Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.SKIP])


@given(st.lists(st.lists(st.tuples(_NAMES, _VERDICTS), min_size=1, max_size=4), max_size=4))
def test_what_we_write_is_what_we_read(made: list[list[tuple[str, Verdict]]]) -> None:
    trials = [
        Trial(
            id=TrialId(case="a", kernel="6.1", workload="idle"),
            verdict=checks[0][1],
            reason="why",
            checks=tuple(
                CheckResult(check=name, verdict=verdict, summary="why") for name, verdict in checks
            ),
        )
        for checks in made
    ]
    read = parse_ktap(ktap(trials))
    assert (read.plan, read.missing) == (len(made), 0)
    for test, checks in zip(read.tests, made, strict=True):
        assert [(sub.name, sub.verdict) for sub in test.subtests] == checks
        assert test.verdict is checks[0][1]
