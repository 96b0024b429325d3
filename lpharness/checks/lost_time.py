"""Did the guest's clock fall behind the host's: stood its CPUs still for longer than it can count?

The kernel keeps time by looking at a counter now and then. One that wraps (the ACPI timer of an
emulated machine has 24 bits, and wraps after 4.7 s) loses a turn when nobody looks for so long, and
no heartbeat inside the guest shows that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from lpharness.checks.contract import Recording
from lpharness.checks.ledger import Ledger
from lpharness.results.model import Margin
from lpharness.timeline.events import ClockRead, HostShare

_WORTH_NS = 1_000_000_000
"""Two readings of two clocks differ by some ms in clean trials, however busy the host."""
_MOST = 0.8


def judge_lost_time(recording: Recording, ledger: Ledger) -> None:
    """Hold the guest's clock against the host's, from the first reading to the last."""
    clocks = [at for at in recording.of(ClockRead) if at[1].guest_ns is not None]
    if len(clocks) < 2:
        return
    (_, first), last = clocks[0], clocks[-1]
    passed_there = (last[1].guest_ns or 0) - (first.guest_ns or 0)
    lost = last[1].host_ns - first.host_ns - passed_there
    certain = max(0, lost - first.uncertainty_ns - last[1].uncertainty_ns)
    what = "the guest's clock beside the host's"
    if certain < _WORTH_NS:
        behind, bound = certain / 1e9, _WORTH_NS / 1e9
        margin = Margin(name="a guest's clock behind the host's", measured=behind, bound=bound)
        ledger.context(what, f"{behind:.3f} s behind since the baseline", last, margin=margin)
        return
    shares = [share for _, share in recording.of(HostShare)]
    seen = f"{lost / 1e9:.1f} s behind since the baseline"
    if shares and not _kept_waiting(shares, lost):
        wanted = "less than 1 s: its CPUs stood still for longer than its clock can tell"
        ledger.wrong(what, seen, last, wanted=wanted)
    else:
        ledger.context(what, f"{seen}; the host kept it waiting for so long", last)


def _kept_waiting(shares: Sequence[HostShare], lost_ns: int) -> bool:
    """Whether the host kept the guest waiting for most of some stretch as long as what is lost."""
    moments = [share.host_ns for share in shares]
    for share in shares:
        end = min(bisect_left(moments, share.host_ns + lost_ns), len(shares) - 1)
        if shares[end].waited_ns - share.waited_ns >= _MOST * lost_ns:
            return True
    return False
