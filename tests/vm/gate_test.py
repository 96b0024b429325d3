"""From real trials to the gate's answer: run --store, a release, the gate."""

import json
from pathlib import Path

from cli_support import KERNEL, lpharness


def test_two_runs_of_real_guests_and_the_gate(tmp_path: Path) -> None:
    env = {"LPHARNESS_STORE": "store.sqlite"}
    for number in (1, 2):
        done = lpharness(
            "run", "cmdline", "-k", KERNEL, "-w", "idle", "-o", f"run-{number}",
            cwd=tmp_path, env=env,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        if number == 1:
            lpharness("store", "tag", "v1", cwd=tmp_path, env=env)

    (found,) = json.loads(lpharness("history", "--json", cwd=tmp_path, env=env).stdout)["lines"]
    assert (found["good"], found["bad"], found["flaky"]) == (2, 0, False)
    first, second = found["trials"]
    assert first["subject"] == second["subject"] != ""
    assert first["machine"] == second["machine"]

    policy = tmp_path / "gate.toml"
    policy.write_text(f"[[require]]\ncases = ['cmdline']\nkernels = ['{KERNEL}']\n")
    gate = ("gate", "--policy", policy, "--baseline", "v1", "--json")
    done = lpharness(*gate, cwd=tmp_path, env=env)
    decision = json.loads(done.stdout)
    # One trial on each side tells nothing of a measure, and that is not taken for fine.
    assert done.returncode == 3
    assert {finding["kind"] for finding in decision["findings"]} == {"few"}
    assert len(decision["comparisons"]) == 6  # each usual measure was taken
    assert (decision["demands"], decision["met"]) == (1, 1)
    with policy.open("a") as file:
        file.write("[answers]\nfew = 'tell'\n")
    assert lpharness(*gate, cwd=tmp_path, env=env).returncode == 0
