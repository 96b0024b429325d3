"""Emulated CPUs hand over once they have answered, so that rewriting code waits for no turns.

The module is ``images/modules/lph_handover.c``.
"""

from collections.abc import Iterator

import msgspec
import pytest
from guest_support import soon, spec

from lpharness.guests import backend
from lpharness.guests.contract import Guest

# Two shells that never pause, and some fifty tracepoints switched on or off: each rewrites a few
# places, in rounds, and in each round the kernel waits until all CPUs have answered.
BUSY = "for i in 1 2; do (while :; do :; done) & done >/dev/null 2>&1"
REWRITE = """
cd /sys/kernel/tracing/events
read began _ < /proc/uptime
for event in signal/*/enable skb/*/enable sock/*/enable net/*/enable module/*/enable; do
    echo $1 > $event
done
read ended _ < /proc/uptime
sleep 1
echo $began $ended
"""


@pytest.fixture(params=["debian:6.1-cloud", "debian:6.12-cloud"])
def emulated(request: pytest.FixtureRequest) -> Iterator[Guest]:
    wanted = msgspec.structs.replace(spec(request.param), accelerator="tcg")
    with backend("qemu").start(wanted, deadline=soon()) as guest:
        yield guest


def out(guest: Guest, command: str) -> str:
    result = guest.transport.run(command, deadline=soon())
    assert result.exit_status == 0, result
    return result.text


def time_to_rewrite(guest: Guest) -> float:
    """Return the guest's seconds; the least of some, for the host is busy with others."""
    spans = []
    for state in "1010":
        began, ended = map(float, out(guest, f"set {state}; {REWRITE}").split())
        spans.append(ended - began)
    return min(spans)


def test_busy_cpus_let_others_rewrite_code(emulated: Guest) -> None:
    out(emulated, BUSY)
    handing_over = time_to_rewrite(emulated)
    out(emulated, "rmmod lph_handover")
    assert time_to_rewrite(emulated) > 3 * handing_over


def test_a_guest_with_one_cpu_has_nobody_to_hand_over_to() -> None:
    wanted = msgspec.structs.replace(spec(), cpus=1)
    with backend("qemu").start(wanted, fresh=True, deadline=soon()) as guest:
        assert "lph_handover" not in out(guest, "cat /proc/modules")
        assert not [line.text for line in guest.console if "cannot load" in line.text]
