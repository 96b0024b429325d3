"""Guests as the hosts of a roll-out: reached by OpenSSH, as an administrator's are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from guest_support import soon

from lpharness.guests.contract import Guest
from lpharness.guests.qemu import QemuGuest
from lpharness.guests.ssh_keys import GuestKeys
from lpharness.guests.ssh_server import listen

BIN = Path(sys.executable).parent
_RECAP = re.compile(
    r"^(\w+) +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE
)


def answer_ssh(guest: QemuGuest, name: str, key: Path) -> int:
    """Give a guest its name and its SSH server, which lets the key in; return the port."""
    listen(guest.transport, GuestKeys(), soon())
    line = key.with_suffix(".pub").read_bytes()
    script = f"cat > /root/.ssh/authorized_keys; echo {name} > /proc/sys/kernel/hostname"
    assert guest.transport.run(script, stdin=line, deadline=soon()).exit_status == 0
    return guest.ssh_port(soon())


def write_inventory(path: Path, ports: Mapping[str, int], key: Path) -> None:
    """Write an inventory of hosts on this machine's own ports."""
    hosts = "".join(f"    {name}: {{ansible_port: {port}}}\n" for name, port in ports.items())
    alive = "-o ServerAliveInterval=2 -o ServerAliveCountMax=3"
    forget = "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    path.write_text(
        f"livepatched:\n  hosts:\n{hosts}  vars:\n"
        "    ansible_host: 127.0.0.1\n"
        "    ansible_user: root\n"
        f"    ansible_ssh_private_key_file: {key}\n"
        f"    ansible_ssh_common_args: {alive} {forget}\n"
        "    ansible_ssh_transfer_method: piped  # dropbear has no sftp\n"
    )


class Played:
    """How a playbook ended."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status = done.returncode
        self.said = done.stdout + done.stderr
        found = _RECAP.findall(done.stdout)
        self.changed = {name: int(changed) for name, _, changed, _, _ in found}
        self.failed = {name: int(failed) for name, *_, failed in found}

    @property
    def words(self) -> str:
        """All that was said, on one line: Ansible wraps where it likes."""
        return " ".join(self.said.split())


def play(folder: Path, inventory: Path, home: Path, *words: str, **variables: object) -> Played:
    """Run the playbook of an exported folder."""
    extra = [word for key, value in variables.items() for word in ("-e", f"{key}={value}")]
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), "-i", str(inventory), "playbook.yml", *extra, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={
            **os.environ,
            "ANSIBLE_HOME": str(home),
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        },
    )
    return Played(done)


def is_on(guest: Guest, name: str) -> bool:
    """Tell whether a livepatch is on; what is not there at all is off."""
    script = f"cat /sys/kernel/livepatch/{name}/enabled; [ ! -d /sys/module/{name} ] && echo gone"
    said = guest.transport.run(script, deadline=soon()).text
    assert said in ("1\n", "gone\n")
    return said == "1\n"
