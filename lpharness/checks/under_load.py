"""Did the workload come through: no errors, nobody stuck, and still as fast as before?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from lpharness.checks.contract import Recording
from lpharness.checks.host_account import HostAccount
from lpharness.checks.ledger import Ledger
from lpharness.checks.lulls import At, Lull, Workers, longest_lulls
from lpharness.checks.pace import judge_pace
from lpharness.checks.story import Story
from lpharness.results.model import CheckResult, Margin
from lpharness.timeline.events import Phase, WorkloadBegan, WorkloadEnded, WorkloadSample


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a worker may suffer under one accelerator before the patch is blamed."""

    floor_ns: int
    """A gap up to this is never blamed."""
    factor: int
    """Nor is one up to this many times the longest gap of the baseline."""
    collapse: float
    """Throughput after the unload below this share of the baseline's is a collapse."""
    sustained_ns: int
    """Both halves of at least so long a time must be below it."""


# The floors: a livepatch stops no task (ftrace patches text by breakpoints, transitions work by
# stack walks under a lock), so a gap it causes is a hang of seconds or nothing. Under TCG two guest
# CPUs are two host threads: a host busy with other things takes them off for a second at times,
# and loading a module makes TCG translate anew. Under KVM a host's scheduler costs tens of ms.
_BOUNDS = {
    "kvm": Bounds(floor_ns=1_000_000_000, factor=10, collapse=0.1, sustained_ns=1_000_000_000),
    "tcg": Bounds(floor_ns=4_000_000_000, factor=10, collapse=0.1, sustained_ns=1_000_000_000),
}

_WORTH_TELLING_NS = 10_000_000

_BEFORE, _DURING, _AFTER = "before", "during", "after"
_GAP, _SILENCE = "a worker's longest gap", "a worker's silence before the others' end"


def bounds(accelerator: str) -> Bounds:
    """Return the bounds for an accelerator; the wider ones for one that is not known."""
    return _BOUNDS.get(accelerator, _BOUNDS["tcg"])


def check_under_load(recording: Recording) -> CheckResult:
    """Judge every report of every worker."""
    story, ledger = Story(recording), Ledger("under_load")
    began = list(recording.of(WorkloadBegan))
    if not began:
        if recording.id.workload == "idle" and not any(recording.of(WorkloadSample)):
            return ledger.skip("no workload was asked for")
        ledger.missing(f"workload {recording.id.workload}", "did not begin")
        return ledger.result("", died=story.died)
    account = HostAccount(recording)
    for start in began:
        _judge_workload(story, account, start, ledger)
    return ledger.result(_summary(story, account, began[0][1]), died=story.died)


def _judge_workload(
    story: Story, account: HostAccount, began: tuple[int, WorkloadBegan], ledger: Ledger
) -> None:
    name = began[1].workload
    windows = _windows(story, name)
    # A workload that reports nothing by design (`idle`) has no workers to miss.
    if began[1].workers == 0 and not any(windows.values()):
        ledger.right(f"workload {name}", "has no workers", began)
        return
    _judge_presence(windows, began[1].workers, name, ledger)
    _judge_errors(windows, name, ledger)
    _judge_gaps(story, account, windows, name, ledger)
    _judge_throughput(story, account, windows, name, ledger)
    judge_pace(story, account, name, ledger)
    _judge_end(story, windows, name, ledger)


def _windows(story: Story, workload: str) -> dict[str, Workers]:
    """Return each worker's reports before the first load, until the unload, and after it."""
    load, after = story.began(Phase.LOAD), story.began(Phase.AFTER)
    windows: dict[str, Workers] = {name: defaultdict(list) for name in (_BEFORE, _DURING, _AFTER)}
    for index, sample in story.recording.of(WorkloadSample):
        if sample.workload != workload:
            continue
        window = _BEFORE
        if load is not None and index > load:
            window = _DURING
        if after is not None and index > after:
            window = _AFTER
        windows[window][sample.worker].append((index, sample))
    return windows


def _judge_presence(windows: dict[str, Workers], workers: int, name: str, ledger: Ledger) -> None:
    known = {worker for window in windows.values() for worker in window}
    if len(known) < workers:
        ledger.missing(f"workers of {name}", f"{len(known)} of {workers} ever reported")
    for window, reports in windows.items():
        what = f"reports of {name} {window} the patch"
        if not reports:
            ledger.missing(what, "none")
            continue
        silent = sorted(known - reports.keys())
        if not silent:
            ledger.right(what, f"from all {len(reports)} workers")
        elif window == _BEFORE:
            ledger.missing(what, f"none from worker {_list(silent)}")
        else:
            ledger.wrong(what, f"none from worker {_list(silent)}", wanted="all, as before")


def _judge_errors(windows: dict[str, Workers], name: str, ledger: Ledger) -> None:
    """Errors that the workload has without a patch are its own; any more are the patch's."""
    for worker in sorted({worker for window in windows.values() for worker in window}):
        own = max((s.errors for _, s in windows[_BEFORE].get(worker, [])), default=0)
        what = f"errors of {name} worker {worker}"
        if own:
            ledger.missing(what, f"{own} before any patch: the workload itself does not work here")
        later = [*windows[_DURING].get(worker, []), *windows[_AFTER].get(worker, [])]
        worst = max(later, key=lambda at: at[1].errors, default=None)
        if worst and worst[1].errors > own:
            ledger.wrong(what, f"{worst[1].errors - own}", worst, wanted="0")
        elif worst:
            ledger.right(what, "none")


def _judge_gaps(
    story: Story, account: HostAccount, windows: dict[str, Workers], name: str, ledger: Ledger
) -> None:
    limits = bounds(story.recording.accelerator)
    baseline = longest_lulls(windows[_BEFORE], {}, account)
    usual = max((lull.own_ns for lull in baseline), default=0)
    bound = max(limits.floor_ns, limits.factor * usual)
    wanted = f"at most {_ms(bound)} (baseline {_ms(usual)}, {story.recording.accelerator})"
    for window, previous in ((_DURING, _BEFORE), (_AFTER, _DURING)):
        lulls = longest_lulls(windows[window], windows[previous], account)
        if not lulls:
            continue
        over = [lull for lull in lulls if lull.own_ns > bound]
        for lull in over:
            what = f"longest gap of {name} worker {lull.worker} {window} the patch"
            margin = _margin(_GAP, lull.own_ns, bound)
            ledger.wrong(what, _lull(lull), lull.at, wanted=wanted, margin=margin)
        if not over:
            lull = max(lulls)
            what = f"longest gap of {name} {window} the patch"
            seen = f"{_lull(lull)}, worker {lull.worker}"
            margin = _margin(_GAP, lull.own_ns, bound)
            ledger.right(what, seen, lull.at, wanted=wanted, margin=margin)
    _judge_stopped(windows, account, bound, name, ledger)


def _lull(lull: Lull) -> str:
    kept = lull.whole_ns - lull.own_ns
    host = f", and {_ms(kept)} by the host's doing" if kept >= _WORTH_TELLING_NS else ""
    return _ms(lull.own_ns) + host


def _judge_stopped(
    windows: dict[str, Workers], account: HostAccount, bound: int, name: str, ledger: Ledger
) -> None:
    """Find workers that fell silent for good while others went on."""
    last: dict[int, At] = {}
    for window in windows.values():
        for worker, reports in window.items():
            last[worker] = reports[-1]
    end = max((_time(at) for at in last.values()), default=0)
    silence = {worker: _silence(at, end, account) for worker, at in sorted(last.items())}
    for worker, ns in silence.items():
        margin = _margin(_SILENCE, ns, bound)
        if ns > bound:
            seen = f"ended {_ms(ns)} before the others'"
            ledger.wrong(f"reports of {name} worker {worker}", seen, last[worker], margin=margin)
        elif ns == max(silence.values()):
            what = f"last reports of {name}"
            ledger.right(what, f"within {_ms(ns)}", last[worker], margin=margin)


def _silence(last: At, end: int, account: HostAccount) -> int:
    """Return for how long a worker said nothing more, the host's doing left out."""
    passed = end - _time(last)
    given = account.given(_time(last), end) if passed and last[1].guest_ns is not None else None
    return passed if given is None else min(passed, given)


def _time(at: At) -> int:
    return at[1].guest_ns if at[1].guest_ns is not None else at[1].host_ns


def _given_rate(
    workers: Workers, account: HostAccount, first_half: bool | None = None
) -> float | None:
    """Return the rate for each second that the host gave the guest, where the host tells."""
    rate, stretch = _rate(workers, first_half), _stretch(workers, first_half)
    given = account.given(*stretch) if stretch else None
    if rate is None or stretch is None or given is None:
        return rate
    return rate * (stretch[1] - stretch[0]) / given


def _stretch(workers: Workers, first_half: bool | None) -> tuple[int, int] | None:
    """Return a window's begin and end, or those of one half of it."""
    stamps = [_time(at) for reports in workers.values() for at in reports]
    if not stamps:
        return None
    begin, end = min(stamps), max(stamps)
    middle = (begin + end) // 2
    if first_half is None:
        return begin, end
    return (begin, middle) if first_half else (middle, end)


def _rate(workers: Workers, first_half: bool | None = None) -> float | None:
    """Return all workers' operations per second in a window (or in one half of it)."""
    stretch = _stretch(workers, first_half)
    if stretch is None:
        return None
    begin, end = stretch
    total = 0.0
    measured = False
    for reports in workers.values():
        inside = [at for at in reports if begin <= _time(at) <= end]
        span = _time(inside[-1]) - _time(inside[0]) if inside else 0
        if span > 0:
            measured = True
            total += (inside[-1][1].operations - inside[0][1].operations) * 1e9 / span
    return total if measured else None


def _span(workers: Workers) -> int:
    stamps = [_time(at) for reports in workers.values() for at in reports]
    return max(stamps) - min(stamps) if stamps else 0


def _judge_throughput(
    story: Story, account: HostAccount, windows: dict[str, Workers], name: str, ledger: Ledger
) -> None:
    """A slower guest is told, not blamed, unless it is gross, lasts, and not the host's doing."""
    limits = bounds(story.recording.accelerator)
    rates = {window: _rate(reports) for window, reports in windows.items()}
    said = ", ".join(f"{window} {_per_second(rate)}" for window, rate in rates.items())
    what = f"throughput of {name}"
    before = _given_rate(windows[_BEFORE], account)
    halves = [_given_rate(windows[_AFTER], account, first_half=half) for half in (True, False)]
    long_enough = _span(windows[_AFTER]) >= limits.sustained_ns
    collapsed = before is not None and all(
        half is not None and half < limits.collapse * before for half in halves
    )
    if before and collapsed and long_enough:
        wanted = f"after the patch, {limits.collapse:.0%} of before or more"
        ledger.wrong(what, said, wanted=wanted, margin=_kept(before, halves, limits))
    else:
        held = before and long_enough
        ledger.context(what, said, margin=_kept(before, halves, limits) if held else None)


def _kept(before: float | None, halves: Sequence[float | None], limits: Bounds) -> Margin | None:
    """Return how much of the baseline's throughput was kept in the better half after the patch."""
    known = [half for half in halves if half is not None]
    if not before or len(known) < len(halves):
        return None
    return Margin(
        name="throughput after the patch, as a share of the baseline's",
        measured=max(known) / before,
        bound=limits.collapse,
        unit="",
        least=True,
    )


def _margin(name: str, measured_ns: float, bound_ns: float) -> Margin:
    return Margin(name=name, measured=measured_ns / 1e9, bound=bound_ns / 1e9)


def _judge_end(story: Story, windows: dict[str, Workers], name: str, ledger: Ledger) -> None:
    what = f"end of {name}"
    ends = [(i, e) for i, e in story.recording.of(WorkloadEnded) if e.workload == name]
    if not ends:
        ledger.missing(what, "was not seen")
        return
    at = ends[-1]
    end = at[1]
    seen = f"exit {end.exit_status}" + (f": {end.detail}" if end.detail else "")
    own = _errors(windows[_BEFORE])
    more = max(_errors(windows[_DURING]), _errors(windows[_AFTER])) > own
    loaded = story.began(Phase.LOAD)
    if end.asked and end.exit_status == 0:
        ledger.right(what, "ended when asked, exit 0", at)
    elif end.exit_status > 0 and (more or (end.asked and not own and loaded is not None)):
        ledger.wrong(what, seen, at, wanted="ends when asked, exit 0")
    elif end.asked:
        ledger.missing(what, f"had to be abandoned: {seen}", at)
    else:
        ledger.missing(what, f"ended unasked: {seen}", at)


def _errors(workers: Workers) -> int:
    return sum(max(at[1].errors for at in reports) for reports in workers.values())


def _summary(story: Story, account: HostAccount, began: WorkloadBegan) -> str:
    windows = _windows(story, began.workload)
    later = (windows[_DURING], windows[_AFTER])
    lulls = [lull for workers in later for lull in longest_lulls(workers, {}, account)]
    rates = " / ".join(_per_second(_rate(reports)) for reports in windows.values())
    longest = _lull(max(lulls)) if lulls else "unknown"
    return f"{began.workload}: no errors, longest gap {longest}; before/during/after {rates}"


def _per_second(rate: float | None) -> str:
    return "unknown" if rate is None else f"{rate:,.0f}/s"


def _ms(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:,.0f} ms"


def _list(workers: list[int]) -> str:
    return ", ".join(str(worker) for worker in workers)
