"""Was it one unbroken life: same boot, same processes, same connection, no machine event?"""

from __future__ import annotations

import json
from itertools import pairwise

from lpharness.checks.console_view import console_findings
from lpharness.checks.contract import Recording
from lpharness.checks.ledger import Ledger
from lpharness.checks.story import Story
from lpharness.results.model import CheckResult, Margin, Verdict
from lpharness.timeline.events import GuestNotified, Phase, Vitals

_ENDS_A_LIFE = ("RESET", "SHUTDOWN", "GUEST_PANICKED", "GUEST_CRASHLOADED", "WATCHDOG")
"""QMP's events of which one, before the harness ends the guest, means that it did not live on."""
_BANNERS = frozenset({"boot-banner", "firmware-banner"})
_CLOCK_TOLERANCE_NS = 2_000_000_000
"""/proc/uptime counts hundredths, and is read by a command that takes its time under TCG."""

Seen = list[tuple[int, Vitals]]


def check_no_reboot(recording: Recording) -> CheckResult:
    """Judge the signs of one unbroken life."""
    story, ledger = Story(recording), Ledger("no_reboot")
    _judge_death(story, ledger)
    vitals = list(recording.of(Vitals))
    if story.baseline_vitals() is None or story.final_vitals() is None:
        when = "the baseline" if story.baseline_vitals() is None else "after the unload"
        ledger.missing("vitals", f"none of {when}")
    if vitals:
        _judge_boot(vitals, ledger)
        _judge_uptime(vitals, ledger)
        _judge_witness(vitals, ledger)
        _judge_connection(vitals, ledger)
    _judge_machine(story, ledger)
    _judge_banners(story, ledger)
    lived = (vitals[-1][1].uptime_ns - vitals[0][1].uptime_ns) / 1e9 if vitals else 0
    return ledger.result(f"one life, {lived:.1f} s of it watched", died=story.died)


def _judge_death(story: Story, ledger: Ledger) -> None:
    death = story.death
    if death is None:
        return
    if death.verdict is Verdict.FAIL:
        ledger.wrong("the guest's life", death.text, death.at, wanted="until the harness ends it")
    else:
        ledger.missing("the guest's life", death.text, death.at)


def _judge_boot(vitals: Seen, ledger: Ledger) -> None:
    first = vitals[0][1].boot_id
    other = next((at for at in vitals if at[1].boot_id != first), None)
    if other:
        ledger.wrong("boot id", f"became {other[1].boot_id}", other, wanted=first)
    elif not first:
        ledger.missing("boot id", "could not be read", vitals[0])
    else:
        ledger.right("boot id", f"{first}, {len(vitals)} times", vitals[-1])


def _judge_uptime(vitals: Seen, ledger: Ledger) -> None:
    for earlier, later in pairwise(vitals):
        if later[1].uptime_ns <= earlier[1].uptime_ns:
            seen = f"{_s(later[1].uptime_ns)} after {_s(earlier[1].uptime_ns)}"
            ledger.wrong("uptime", seen, later, wanted="ever more")
            return
    for at in vitals:
        stamp = at[1].guest_ns
        if stamp is not None and abs(at[1].uptime_ns - stamp) > _CLOCK_TOLERANCE_NS:
            seen = f"{_s(at[1].uptime_ns)} when the guest's clock showed {_s(stamp)}"
            ledger.wrong("uptime", seen, at, wanted="the same")
            return
    if len(vitals) > 1:
        seen = f"from {_s(vitals[0][1].uptime_ns)} to {_s(vitals[-1][1].uptime_ns)}, never back"
        ledger.right("uptime", seen, vitals[-1], margin=_apart(vitals))


def _apart(vitals: Seen) -> Margin | None:
    """Return how far uptime and the guest's clock were apart at most."""
    known = [abs(v.uptime_ns - v.guest_ns) for _, v in vitals if v.guest_ns is not None]
    if not known:
        return None
    bound = _CLOCK_TOLERANCE_NS / 1e9
    return Margin(
        name="uptime apart from the guest's clock", measured=max(known) / 1e9, bound=bound
    )


def _judge_witness(vitals: Seen, ledger: Ledger) -> None:
    first = vitals[0][1]
    if first.witness_pid is None:
        ledger.missing("witness process", "was not there to begin with", vitals[0])
        return
    same = (first.witness_pid, first.witness_start_ticks)
    for at in vitals[1:]:
        now = (at[1].witness_pid, at[1].witness_start_ticks)
        if now != same:
            seen = "gone" if now[0] is None else f"pid {now[0]}, started at tick {now[1]}"
            wanted = f"pid {same[0]}, started at tick {same[1]}"
            ledger.wrong("witness process", seen, at, wanted=wanted)
            return
    ledger.right("witness process", f"pid {same[0]} since tick {same[1]}", vitals[-1])


def _judge_connection(vitals: Seen, ledger: Ledger) -> None:
    broken = next((at for at in vitals if at[1].connection_alive is False), None)
    opened = next((at for at in vitals if at[1].connection_alive), None)
    last = vitals[-1]
    if broken and opened:
        detail = broken[1].connection_detail or "echoes no more"
        ledger.wrong("TCP connection", detail, broken, wanted="still echoes")
    elif broken:
        ledger.missing("TCP connection", f"never worked: {broken[1].connection_detail}", broken)
    elif last[1].connection_alive:
        ledger.right("TCP connection", "still echoes", last)
    elif opened is None and last[1].connection_detail:
        ledger.context("TCP connection", f"none was opened: {last[1].connection_detail}", last)
    else:
        ledger.missing("TCP connection", "was not tried", last)


def _judge_machine(story: Story, ledger: Ledger) -> None:
    began, end = story.began(Phase.BASELINE), story.began(Phase.END)
    quiet = began is not None
    for index, event in story.recording.of(GuestNotified):
        inside = (began is None or index > began) and (end is None or index < end)
        if not inside or event.name not in _ENDS_A_LIFE:
            continue
        quiet = False
        seen = f"{event.name} {event.data}".rstrip()
        final = story.final_vitals()
        if _by_host(event.data) and final is not None and index > final[0]:
            ledger.context("machine events", f"{seen}: the harness ended it", (index, event))
        elif _by_host(event.data):
            ledger.missing("machine events", f"{seen}: the host's doing", (index, event))
        else:
            ledger.wrong("machine events", seen, (index, event), wanted="none")
    if quiet:
        ledger.right("machine events", f"no {', no '.join(_ENDS_A_LIFE)} since the baseline")


def _by_host(data: str) -> bool:
    """Tell whether QMP says that the guest did not ask for it (``"guest": false``)."""
    try:
        said = json.loads(data) if data else None
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("guest") is False


def _judge_banners(story: Story, ledger: Ledger) -> None:
    found = [f for f in console_findings(story) if f.name in _BANNERS and f.after_baseline]
    for banner in found:
        ledger.wrong("console", banner.text, wanted="no boot banner", console_line=banner.line)
    if not found and story.recording.console:
        ledger.right("console", "no boot banner since the baseline")


def _s(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e9:.2f} s"
