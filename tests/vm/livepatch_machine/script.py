"""A failing sequence as a shell script for ``lpharness shell``."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from livepatch_machine.acts import Act, Kind
from livepatch_machine.pair import Discrepancy
from livepatch_machine.stage import prepared

_PREAMBLE = r"""
scene=/tmp/lph_scene
livepatch=/sys/kernel/livepatch
cd /tmp || exit
echo 0 >/sys/devices/system/cpu/cpu1/online
settle() { while grep -qs 1 $livepatch/*/transition; do sleep 0.1; done; sleep 0.2; }
stalled() { sleep 4; } # the kernel asks the tasks about once a second
callbacks() { dmesg | sed -n 's/.*lph-callback: //p'; }
show() { cat "$1" 2>/dev/null || echo none; }
redirected() { grep -c "^[^ ]*$1 .* I" /sys/kernel/tracing/enabled_functions; }
version() {
  sed -n -e 's/.* __[^ ]*_pause+.*/original/p' -e 's/.* \(lph[^ ]*\)_pause+.*/\1/p' \
    "/proc/$1/stack"
}
status=0
compare() {
  if [ "$2" = "$3" ]; then echo "same now: $1 is $2"
  else echo "differs: $1: reference '$2', kernel '$3'"; status=1; fi
}
"""


def written(failure: Discrepancy, kernel: str, folder: Path) -> tuple[str, str]:
    """Write a script with all that it needs to a folder; return the command and the script."""
    _, files = prepared(kernel)
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for path in files:
        name = path.name if path.suffix == ".ko" else "lph_scene"
        shutil.copy(path, folder / name)
        names.append(name)
    script = text(failure)
    (folder / "sequence.sh").write_text(script)
    options = " ".join(f"--file {folder / name}" for name in names)
    return f"lpharness shell -k {kernel} {options} <{folder / 'sequence.sh'}", script


def text(failure: Discrepancy) -> str:
    """Return the script: the acts, and at the end what differs; it exits with 1 if that shows."""
    lines = ["#!/bin/sh", *_PREAMBLE.strip().splitlines(), ""]
    for act, stalls in zip(failure.acts, failure.stalls, strict=True):
        if act is failure.acts[-1]:
            lines.append("before=$(callbacks | wc -l)")
        lines += [f"echo {shlex.quote(str(act))}", *_commands(act)]
        lines.append("stalled" if stalls else "settle")
    for key, (reference, _) in failure.differ.items():
        lines.append(f'compare {shlex.quote(key)} {shlex.quote(reference)} "{_sight(key)}"')
    return "\n".join([*lines, "exit $status"]) + "\n"


def _commands(act: Act) -> list[str]:
    sleeper = f"sleeper_{act.name}"
    if act.kind is Kind.ENTER:
        wait = f'until grep -q "^34 " /proc/${sleeper}/syscall; do :; done'
        return [f"$scene sleep & {sleeper}=$!", wait, "errno=0"]
    if act.kind is Kind.LEAVE:
        return [f"kill -USR1 ${sleeper}; wait ${sleeper}", "errno=0"]
    return [f"errno=$($scene {act})"]


def _sight(key: str) -> str:
    """Return the command that shows what a line of the view is about."""
    simple = {
        "errno": "$errno",
        "reached": "$($scene call)",
        "answer": "$(cat /sys/module/lph_target/parameters/answer 2>/dev/null || echo -1)",
        "traced": "$($scene traced)",
        "cpu1": "$(show /sys/devices/system/cpu/cpu1/online)",
        "callbacks": "$(callbacks | tail -n +$((before + 1)) | sed ':a;N;$!ba;s/\\n/; /g')",
        "guest": "alive",
        "console": "$(dmesg | grep -E 'WARNING|BUG|Oops')",
    }
    if key in simple:
        return simple[key]
    what, *rest = key.split()
    match what:
        case "module":
            return f"$(show /sys/module/{rest[0]}/refcnt)"
        case "redirected":
            return f"$(redirected {rest[0]})"
        case "sleeper" if rest[1] == "state":
            return f"$(show /proc/$sleeper_{rest[0]}/patch_state)"
        case "sleeper":
            return f"$(version $sleeper_{rest[0]})"
    return f"$(show $livepatch/{key})"
