"""Did every CPU run what was due, or stand still for longer than the host made it?

A gap between two heartbeats may be the host's: it let others run. Its own account says for how
long (`HostAccount`); what is left of a gap is the guest's, and is held against its own baseline.

While none of the guest's threads ran or wanted to, either its CPUs were halted or QEMU itself did
not get on (it waited for memory, a lock, a timer of its own), and no account tells which. A gap is
therefore only blamed for such a time when it was long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lpharness.checks.contract import Recording
from lpharness.checks.host_account import HostAccount
from lpharness.checks.ledger import Ledger
from lpharness.checks.lost_time import judge_lost_time
from lpharness.checks.story import Story
from lpharness.results.model import CheckResult, Margin
from lpharness.timeline.events import CpuBeats, Heartbeat, HeartbeatBegan, Phase

_FACTOR = 4
"""A gap up to so many times the longest of the baseline is never blamed."""

# Nor is one up to this. What a livepatch needs (modules loaded, text poked, stacks walked) stopped
# a CPU for some 30 ms in clean trials, and twice for up to 116 ms under emulation on a host that
# was loaded five times over: see docs/workloads.md.
_FLOOR_NS = {"kvm": 100_000_000, "tcg": 250_000_000}
# So long the guest's threads may sleep through a heartbeat that was due.
_ASLEEP_NS = {"kvm": 300_000_000, "tcg": 1_000_000_000}
# Without the host's account a gap may be all the host's: a second is nothing for a busy one.
_BLIND_FLOOR_NS = {"kvm": 1_000_000_000, "tcg": 4_000_000_000}
# A kernel that checks itself looks up and unwinds with interrupts off at each load: up to 0.47 s of
# its own under TCG in clean trials.
_OF_CHECKERS = 6
# Emulated CPUs share a thread. Where they do not hand over when they were called, they stood still
# for up to 0.3 s of their own while a kernel rewrote thousands of calls.
_OF_REWRITING = 4
_REWRITING = (Phase.LOAD, Phase.TRANSITION, Phase.UNLOAD)
_MUST_BEAT = (Phase.BASELINE, Phase.STEADY, Phase.AFTER)


@dataclass(frozen=True, slots=True)
class Gap:
    """One stretch in which a CPU's heart did not beat."""

    cpu: int
    began_ns: int
    ended_ns: int
    own_ns: int
    """What of it the host's account does not explain."""
    asleep_ns: int
    """For how much of that no thread of the guest ran."""
    blind: bool
    """Whether there is no such account."""
    open: bool
    """Whether the heart beat again before the last report."""
    at: tuple[int, Heartbeat]

    @property
    def length_ns(self) -> int:
        """How long it was, whoever was to blame."""
        return self.ended_ns - self.began_ns

    @property
    def told(self) -> str:
        """The gap in words."""
        if self.blind:
            return f"{_ms(self.length_ns)}, of which the host does not tell its share"
        asleep = f" ({_ms(self.asleep_ns)} asleep)" if self.asleep_ns else ""
        hosts = _ms(self.length_ns - self.own_ns)
        return f"{_ms(self.own_ns)}{asleep}, and {hosts} by the host's doing"


def check_heartbeat(recording: Recording) -> CheckResult:
    """Judge every gap of every CPU."""
    story, ledger = Story(recording), Ledger("heartbeat")
    began = next(recording.of(HeartbeatBegan), None)
    if began is None:
        if any(recording.of(Heartbeat)) or not recording.events:
            ledger.missing("heartbeats", "did not begin")
            return ledger.result("", died=story.died)
        return ledger.skip("none was recorded: the trial is older than heartbeats")
    _judge_presence(story, began, ledger)
    before, later = _by_time(story, list(gaps(recording)))
    bounds = _Bounds(story, began[1], before)
    over = [gap for gap in later if bounds.held(gap) > bounds.of(gap)]
    for together in _together(over):
        _blame(recording, story, together, bounds, ledger)
    _tell_hosts_doing(later, ledger)
    judge_lost_time(recording, ledger)
    longest = max(later, key=bounds.held, default=None)
    if longest is not None and not over:
        what = f"longest stand-still of a CPU since the load: CPU {longest.cpu}"
        wanted, margin = bounds.wanted(longest), bounds.margin(longest)
        ledger.right(what, longest.told, longest.at, wanted=wanted, margin=margin)
    summary = f"no CPU stood still for longer than {_ms(bounds.held(longest))}" if longest else ""
    return ledger.result(summary, died=story.died)


class _Bounds:
    """How long a CPU may stand still."""

    def __init__(self, story: Story, kernel: HeartbeatBegan, baseline: Sequence[Gap]) -> None:
        accelerator = story.recording.accelerator
        self._accelerator = accelerator if accelerator in _FLOOR_NS else "tcg"
        self._story, self._kernel = story, kernel
        self._usual = max((self.held(gap) for gap in baseline), default=0)

    def held(self, gap: Gap) -> int:
        """Return what of a gap is held against the guest."""
        return gap.own_ns - min(gap.asleep_ns, _ASLEEP_NS[self._accelerator])

    def of(self, gap: Gap) -> int:
        floors = _BLIND_FLOOR_NS if gap.blind else _FLOOR_NS
        return max(floors[self._accelerator] * self._patience(gap), _FACTOR * self._usual)

    def _patience(self, gap: Gap) -> int:
        if self._kernel.checks_itself:
            return _OF_CHECKERS
        slowly = self._kernel.rewrites_calls and not self._kernel.hands_over
        if not slowly or self._accelerator != "tcg":
            return 1
        chapter = self._story.chapter_at(gap.at[0])
        return _OF_REWRITING if chapter is not None and chapter.phase in _REWRITING else 1

    def margin(self, gap: Gap) -> Margin:
        name = "a CPU's stand-still" + (", the host's share unknown" if gap.blind else "")
        return Margin(name=name, measured=self.held(gap) / 1e9, bound=self.of(gap) / 1e9)

    def wanted(self, gap: Gap) -> str:
        bound = _ms(self.of(gap))
        usual = f"baseline {_ms(self._usual)}, {self._accelerator}"
        if not gap.asleep_ns:
            return f"at most {bound} of its own ({usual})"
        asleep = _ms(_ASLEEP_NS[self._accelerator])
        return f"at most {bound} of its own ({usual}), but for {asleep} asleep"


def _judge_presence(story: Story, began: tuple[int, HeartbeatBegan], ledger: Ledger) -> None:
    """Every CPU must be known to have beaten, in every phase that a trial always has."""
    for phase in _MUST_BEAT:
        chapter = story.find(phase)
        reports = list(chapter.of(Heartbeat)) if chapter else []
        what = f"heartbeats in the phase {phase.value}"
        if not reports:
            ledger.missing(what, "none reported")
        elif phase is Phase.BASELINE:
            silent = [str(beats.cpu) for beats in reports[-1][1].cpus if not beats.beats]
            known = len(reports[-1][1].cpus)
            if silent or known < len(began[1].cpus):
                ledger.missing(what, f"none of CPU {', '.join(silent) or 'that was there'}")
            else:
                ledger.right(what, f"of {known} CPUs", reports[-1])


def gaps(recording: Recording) -> Iterator[Gap]:
    """Yield every gap once; one that is told of while it is open counts as its last report says."""
    account = HostAccount(recording)
    found: dict[tuple[int, int], tuple[int, tuple[int, Heartbeat]]] = {}
    last = None
    for at in recording.of(Heartbeat):
        last = at[1]
        for beats in at[1].cpus:
            if beats.longest_gap_ns and not beats.away:
                began = beats.gap_ended_ns - beats.longest_gap_ns
                found[beats.cpu, began] = (beats.gap_ended_ns, at)
    for (cpu, began_ns), (ended_ns, at) in found.items():
        waited, ran = account.waited(began_ns, ended_ns), account.ran(began_ns, ended_ns)
        own_ns = max(ended_ns - began_ns - (waited or 0), 0)
        yield Gap(
            cpu=cpu,
            began_ns=began_ns,
            ended_ns=ended_ns,
            own_ns=own_ns,
            asleep_ns=0 if ran is None else max(own_ns - ran, 0),
            blind=waited is None,
            open=at[1] is last and ended_ns == at[1].guest_ns,
            at=at,
        )


def _by_time(story: Story, gaps: Sequence[Gap]) -> tuple[list[Gap], list[Gap]]:
    """Return the gaps that were told of before the kernel was changed, and the later ones."""
    load = story.changes_began()
    before = [gap for gap in gaps if load is None or gap.at[0] < load]
    return before, [gap for gap in gaps if load is not None and gap.at[0] > load]


def _together(gaps: Sequence[Gap]) -> Iterator[list[Gap]]:
    """Yield gaps that overlap in time: what stops several CPUs is one thing."""
    group: list[Gap] = []
    for gap in sorted(gaps, key=lambda gap: gap.began_ns):
        if group and gap.began_ns >= max(other.ended_ns for other in group):
            yield group
            group = []
        group.append(gap)
    if group:
        yield group


def _blame(
    recording: Recording, story: Story, gaps: list[Gap], bounds: _Bounds, ledger: Ledger
) -> None:
    longest = max(gaps, key=bounds.held)
    stopped = sorted({gap.cpu for gap in gaps})
    chapter = story.chapter_at(longest.at[0])
    where = chapter.phase.value if chapter else "no phase"
    others = _others(recording, stopped, longest)
    if others:
        what = f"CPU {', '.join(map(str, stopped))} alone stood still in the phase {where}"
        seen = f"{longest.told}; meanwhile {', '.join(others)}"
    else:
        what, seen = f"all CPUs stood still in the phase {where}", longest.told
    if longest.open:
        seen += "; it has not come back"
    wanted, margin = bounds.wanted(longest), bounds.margin(longest)
    ledger.wrong(what, seen, longest.at, wanted=wanted, margin=margin)


def _tell_hosts_doing(gaps: Sequence[Gap], ledger: Ledger) -> None:
    """Tell how busy the host was: what it made of a gap speaks neither for nor against."""
    longest = max(gaps, key=lambda gap: gap.length_ns - gap.own_ns, default=None)
    if longest is not None and longest.own_ns < longest.length_ns:
        what = f"longest stand-still that the host made: CPU {longest.cpu}"
        ledger.context(what, longest.told, longest.at)


def _others(recording: Recording, stopped: Sequence[int], gap: Gap) -> list[str]:
    """Return how often the other CPUs' hearts beat between the reports around a gap."""
    first: dict[int, CpuBeats] = {}
    last: dict[int, CpuBeats] = {}
    for _, report in recording.of(Heartbeat):
        stamp = report.guest_ns or 0
        for beats in report.cpus:
            if beats.cpu in stopped:
                continue
            if stamp <= gap.began_ns or beats.cpu not in first:
                first[beats.cpu] = beats
            if stamp <= gap.ended_ns:
                last[beats.cpu] = beats
    counts = {cpu: last[cpu].beats - first[cpu].beats for cpu in last}
    return [f"CPU {cpu} beat {count} times" for cpu, count in sorted(counts.items()) if count > 0]


def _ms(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:,.0f} ms"
