"""Random sequences of what can happen to livepatches: a real kernel against the reference.

`LPHARNESS_SEQUENCES=100` makes it the long run, with new sequences each time; docs/reference.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_support import LPHARNESS
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from livepatch_machine.acts import Act, Kind
from livepatch_machine.catalog import NUMBERS, PAUSE_KEY
from livepatch_machine.machine import STEPS, machine_of
from livepatch_machine.pair import Discrepancy, Pair
from livepatch_machine.script import written
from livepatch_machine.shrink import shrunk

from lpharness.reference.transition import Transition

SEQUENCES = int(os.environ.get("LPHARNESS_SEQUENCES", "0"))
PARTS = 2 if SEQUENCES else 1
"""Each has a guest of its own: the long run takes two CPUs with ``pytest -n 2``."""
EACH = -(-SEQUENCES // PARTS) or 6
OLD, NEW = "debian:6.1-cloud", "debian:6.12-cloud"


def profile() -> settings:
    """Return settings without Hypothesis' own shrinking: `shrunk` knows what an attempt costs."""
    return settings(
        max_examples=EACH,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=not SEQUENCES,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


def failure_of(pair: Pair) -> Discrepancy | None:
    """Run sequences until one fails; return how, unless none does."""
    machine = machine_of(pair)
    try:
        # Left to itself Hypothesis makes some sequences shorter.
        run_state_machine_as_test(machine, settings=profile(), _min_steps=STEPS)
    except Exception:
        if not machine.failures:
            raise
    return machine.failures[0] if machine.failures else None


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kernel", [OLD, NEW])
def test_kernel_and_reference_agree(
    kernel: str, part: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = Pair(kernel)
    began = time.monotonic()
    try:
        failure = failure_of(pair)
        pair.tally.seconds = time.monotonic() - began
        if SEQUENCES:
            with capsys.disabled():
                sys.stdout.write(f"\n{kernel}, part {part}: {pair.tally}\n")
        if failure:
            short = shrunk(failure, pair)
            command, script = written(short, kernel, tmp_path / "sequence")
            pytest.fail(f"{short}\n\n{command}\n\n{script}", pytrace=False)
    finally:
        pair.drop()
    assert pair.tally.whole >= EACH - pair.tally.late, pair.tally


def test_a_wrong_reference_is_found_out_by_a_short_script(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    everything = frozenset((*PAUSE_KEY, version) for version in NUMBERS)
    monkeypatch.setattr(Transition, "taken", lambda *_: everything)  # who sleeps in it blocks all
    pair = Pair(OLD)
    acts = [
        Act(Kind.LOAD, "lph_target"),
        Act(Kind.CPU, "1"),
        Act(Kind.CPU, "0"),
        Act(Kind.ENTER, "0"),
        Act(Kind.TRACE, "on"),
        Act(Kind.UNLOAD, "lph_target"),
        Act(Kind.LOAD, "lph_d"),
        Act(Kind.LEAVE, "0"),
    ]
    try:
        with pytest.raises(Discrepancy) as caught:
            pair.run(acts)
        short = shrunk(caught.value, pair)
    finally:
        pair.drop()
    assert [str(act) for act in short.acts] == ["enter 0", "load lph_d"]
    assert short.differ["lph_d/transition"] == ("1", "0")
    command, script = written(short, OLD, tmp_path / "sequence")
    words = command.partition("<")[0].split()[1:]
    done = subprocess.run([*LPHARNESS, *words], input=script, capture_output=True, text=True)
    assert done.returncode == 1, done
    assert "differs: lph_d/transition: reference '1', kernel '0'" in done.stdout


def test_a_kernel_that_warns_fails_the_sequence() -> None:
    pair = Pair(OLD)
    try:
        with pytest.raises(Discrepancy) as caught:
            pair.run([Act(Kind.ENTER, "0"), Act(Kind.LOAD, "lph_a", "warn=1")])
    finally:
        pair.drop()
    assert list(caught.value.differ) == ["console"]
    assert "pre_patch+0x" in caught.value.evidence


def test_a_kernel_that_dies_fails_the_sequence() -> None:
    pair = Pair(OLD)
    pair.begin()
    assert pair.stage is not None
    try:
        pair.stage.run("echo c >/proc/sysrq-trigger")
        with pytest.raises(Discrepancy) as caught:
            pair.step(Act(Kind.LOAD, "lph_a"))
    finally:
        pair.drop()
    assert list(caught.value.differ) == ["guest"]
    assert "sysrq triggered crash" in caught.value.evidence
