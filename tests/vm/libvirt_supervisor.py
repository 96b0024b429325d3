"""Runs virtlogd and libvirtd as children until its standard input ends, then ends them all.

One that dies before is started again, as a service manager would.

Usage: python libvirt_supervisor.py -- VIRTLOGD_ARGUMENTS... -- LIBVIRTD_ARGUMENTS...

A process of its own, because it is to outlive neither the tests (their end closes its standard
input, however they end) nor its daemons, and because libvirt's QEMUs daemonise: whatever is their
reaper must reap at once, or libvirt waits for the dead. A container's PID 1 often doesn't.
"""

import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CLONE_NEWNS = 0x00020000
_QEMU_CONF = b"/etc/libvirt/qemu.conf"
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18

libc = ctypes.CDLL(None, use_errno=True)


def mend_kvm_probe() -> None:
    """Let a privileged libvirtd run QEMU as root where root alone may open /dev/kvm.

    Its probe of QEMU finds KVM there while QEMU's own user has no access: each says the other is
    wrong, and every start of a domain probes anew, many times, for half a minute
    (virQEMUCapsIsValid in libvirt 9.0). The configuration is changed in our mounts alone.
    """
    kvm = pathlib.Path("/dev/kvm")
    if os.geteuid() != 0 or not kvm.exists() or kvm.stat().st_mode & 0o066:
        return
    with tempfile.NamedTemporaryFile(mode="w") as file:
        file.write('user = "root"\ngroup = "root"\n')
        file.flush()
        done = (
            libc.unshare(_CLONE_NEWNS) == 0
            and libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) == 0
            and libc.mount(file.name.encode(), _QEMU_CONF, None, _MS_BIND, None) == 0
        )
        if not done:
            why = os.strerror(ctypes.get_errno())
            sys.stderr.write(f"cannot mount {_QEMU_CONF!r}: {why}\n")


def children() -> list[int]:
    told = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return [int(pid) for pid in told.split()]


def start(command: list[str]) -> int:
    daemon = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
    )
    return daemon.pid


def end_when_input_ends(daemons: dict[int, list[str]]) -> None:
    while os.read(0, 4096):
        pass
    pids = list(daemons)
    daemons.clear()  # what ends from now on ends for good
    for pid in reversed(pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    time.sleep(2)
    while left := children():  # QEMUs that lost their libvirtd, and whoever ignored SIGTERM
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    os._exit(0)


def main() -> None:
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    first, second = (index for index, word in enumerate(sys.argv) if word == "--")
    mend_kvm_probe()
    commands = (
        ["virtlogd", *sys.argv[first + 1 : second]],
        ["libvirtd", *sys.argv[second + 1 :]],
    )
    daemons = {start(command): command for command in commands}
    threading.Thread(target=end_when_input_ends, args=(daemons,), daemon=True).start()
    while True:
        try:
            pid, _ = os.wait()
            if command := daemons.pop(pid, None):
                daemons[start(command)] = command
        except ChildProcessError:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
