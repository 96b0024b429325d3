"""What verdicts and gaps in the coverage say of a release."""

from __future__ import annotations

from collections.abc import Iterator

from lpharness.gate.evidence import Evidence, Tried
from lpharness.gate.findings import Finding
from lpharness.gate.policy import Answers, Demand, Policy
from lpharness.store.trials import Found, Line


def of_lines(policy: Policy, baseline: Evidence, candidate: Evidence) -> Iterator[Finding]:
    """Yield what each line's verdicts say, of the lines of both."""
    answers = policy.answers
    for line in sorted({*baseline.lines, *candidate.lines}):
        now, before = candidate.lines.get(line), baseline.lines.get(line)
        if now is None:
            said = f"was tried in {baseline.name} and is not in {candidate.name}"
            yield _finding("gone", answers, line, said)
        elif now.flaky:
            yield _flake(answers, line, now, before)
        elif now.bad:
            yield _failure(answers, line, now, before)
        elif not now.said:
            yield _finding("hole", answers, line, f"nobody could say: {_why(now.trials)}")
        elif before is not None and before.bad and not before.flaky:
            yield Finding(
                kind="better", answer="tell", about=str(line), said="is good again", line=line
            )


def of_demands(policy: Policy, candidate: Evidence) -> Iterator[tuple[str, Finding | None]]:
    """Yield each thing that is demanded, with what is missing of it or ``None``."""
    for demand in policy.require:
        for case, kernel, workload in demand.each():
            about = f"{case} on {kernel} with {workload or 'any workload'}"
            lines = [
                tried
                for line, tried in candidate.lines.items()
                if line.case == case
                and workload in ("", line.workload)
                and (kernel == line.target or any(t.kernel == kernel for t in tried.trials))
            ]
            said = _missing(demand, lines)
            if said is None:
                yield about, None
            else:
                hole = policy.answers.hole
                yield about, Finding(kind="hole", answer=hole, about=about, said=said)


def _missing(demand: Demand, lines: list[Tried]) -> str | None:
    """Return what is missing of a demand; ``None`` if nothing is."""
    if not lines:
        return "is demanded and was not tried"
    best = max(lines, key=lambda tried: tried.said)
    if best.said >= demand.repeats:
        return None
    if not best.said:
        return f"is demanded and nobody could say: {_why(best.trials)}"
    return f"said something {best.said} times, and {demand.repeats} are demanded"


def _flake(answers: Answers, line: Line, now: Tried, before: Tried | None) -> Finding:
    verdicts = [trial.verdict for trial in now.attempts]
    counts = ", ".join(f"{verdicts.count(v)} {v.value}" for v in dict.fromkeys(sorted(verdicts)))
    if before is not None and before.flaky:
        return _finding("flake", answers, line, f"is flaky, and was: {counts}")
    return _finding("new_flake", answers, line, f"is flaky, the very same tested: {counts}")


def _failure(answers: Answers, line: Line, now: Tried, before: Tried | None) -> Finding:
    why = f"{len(now.bad)} of {len(now.trials)} bad: {_why(now.bad)}"
    if before is None:
        return _finding("failing", answers, line, f"is new and fails, {why}")
    if before.bad:
        return _finding("failing", answers, line, f"fails, and did before, {why}")
    if before.good:
        return _finding("regression", answers, line, f"was good and fails, {why}")
    return _finding("failing", answers, line, f"fails, and nobody could say before, {why}")


def _why(trials: list[Found]) -> str:
    """Return why the last of some trials came out as it did."""
    last = trials[-1]
    return f"{last.verdict.value}: {last.reason}"


def _finding(kind: str, answers: Answers, line: Line, said: str) -> Finding:
    return Finding(kind=kind, answer=getattr(answers, kind), about=str(line), said=said, line=line)
