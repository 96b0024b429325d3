"""What ``/lph/watch transitions`` says of a task that goes over by itself."""

import json
import re

from guest_support import soon, spec

from lpharness.cases import load
from lpharness.engine.build import build_module
from lpharness.guests import backend
from lpharness.kernels import with_headers

# Beside the watcher's own probe one of ours, where the function begins that moves a task.
SCRIPT = """
cd /sys/kernel/tracing
echo 'p:lph_test/begins klp_update_patch_state' >> kprobe_events
mkdir instances/lph_test
echo boot > instances/lph_test/trace_clock
echo 1 > instances/lph_test/events/lph_test/begins/enable
mkfifo /tmp/input
/lph/watch transitions < /tmp/input > /tmp/said &
exec 3> /tmp/input
while ! grep -q ready /tmp/said; do usleep 10000; done
insmod /tmp/patch.ko
while ! grep -q complete /tmp/said; do usleep 10000; done
exec 3>&-
wait
cat /tmp/said
echo ====
cat instances/lph_test/trace
"""
BEGINS = re.compile(r"-(\d+) +\[.* (\d+)\.(\d+): begins:")


def test_a_task_has_moved_when_the_kernel_is_done_with_it() -> None:
    """Not when it begins: an interrupt in between still calls the old functions, in its name."""
    wanted = spec()
    case = load("cmdline")
    module = build_module(case, case.modules[0], with_headers(wanted.kernel))
    with backend("qemu").start(wanted, deadline=soon()) as guest:
        guest.transport.put(module.path, "/tmp/patch.ko", deadline=soon())
        done = guest.transport.run(SCRIPT, deadline=soon())
    said, _, trace = done.text.partition("====")
    began: dict[int, int] = {}
    for pid, seconds, micros in BEGINS.findall(trace):
        began.setdefault(int(pid), int(seconds) * 10**9 + int(micros) * 1000)
    moved = [json.loads(line) for line in said.splitlines() if '"moved"' in line]
    themselves = {move["pid"]: move["t"] for move in moved if move["after"] == move["t"]}
    assert themselves, done
    for pid, at in themselves.items():
        assert at > began[pid], (pid, at, began[pid])
