"""dropbear in the guest, started when SSH is asked for."""

from __future__ import annotations

import base64

from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError
from lpharness.guests.contract import Transport
from lpharness.guests.ssh_keys import GuestKeys

RUN_FOLDER = "/run/lpharness-ssh"
"""In the guest: the host key, and the process groups of the commands that run."""

_ADDRESS = "10.0.2.15/24"
"""What QEMU's user network forwards to when told of no address (slirp's first guest address)."""

# The two keys come on standard input, so that no process list shows them. Password log-ins and
# port forwarding are off. A dropbear of an earlier call keeps its connections, but takes no more:
# its host key is known to that caller alone.
_PREPARE = f"""
set -e
umask 077
mkdir -p /root/.ssh {RUN_FOLDER}
read -r host
read -r client
echo "$host" | base64 -d > {RUN_FOLDER}/host-key
echo "$client" > /root/.ssh/authorized_keys
"""

_LISTEN = f"""
ip link set lo up
ip link set eth0 up
ip addr show dev eth0 | grep -q 'inet {_ADDRESS}' || ip addr add {_ADDRESS} dev eth0
if [ -s {RUN_FOLDER}/pid ]; then
    kill "$(cat {RUN_FOLDER}/pid)" 2>/dev/null && sleep 0.2 || :
    rm -f {RUN_FOLDER}/pid
fi
exec dropbear -s -j -k -r {RUN_FOLDER}/host-key -P {RUN_FOLDER}/pid -p 22
"""


def listen(agent: Transport, keys: GuestKeys, deadline: Deadline) -> None:
    """Give the guest its keys and start its SSH server; it listens when this returns.

    (dropbear binds its port before it leaves for the background.)

    Raises:
        GuestError: the image has no dropbear, or no network card.
    """
    _run(agent, _PREPARE + _LISTEN, keys, deadline)


def prepare(agent: Transport, keys: GuestKeys, deadline: Deadline) -> str:
    """Give the guest its keys, and return the command that serves one connection on stdio."""
    _run(agent, _PREPARE, keys, deadline)
    return f"exec dropbear -i -s -j -k -r {RUN_FOLDER}/host-key"


def _run(agent: Transport, script: str, keys: GuestKeys, deadline: Deadline) -> None:
    host = base64.b64encode(keys.dropbear_host_key())
    lines = host + b"\n" + keys.authorized_keys().encode() + b"\n"
    result = agent.run(script, stdin=lines, deadline=deadline)
    if result.exit_status:
        said = result.stderr.decode(errors="replace").strip() or f"status {result.exit_status}"
        raise GuestError(f"the guest's SSH server does not start: {said}")
