"""A proven bundle rolled out by Ansible over real guests, of which one stalls and one crashes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cli_support import KERNEL, lpharness
from guest_support import soon, spec
from rollout_support import BIN, Played, answer_ssh, is_on, play, write_inventory

from lpharness.cases import load
from lpharness.engine.build import build_module
from lpharness.guests import backend as find_backend
from lpharness.guests.contract import Condition
from lpharness.rollout.ansible_role import ROLE

NAME = "lph_rollout"
CASE = Path(__file__).parent / "rollout"
HOSTS = ("first", "well", "stalled", "crashed")
PROBE = "grep -q patched /proc/cmdline"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key, who may sign, and the role of a bundle that was proven just now."""
    folder = tmp_path_factory.mktemp("rollout")
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key"]
    subprocess.run(words, cwd=folder, check=True)
    (folder / "signers").write_text(f"release@example.org {(folder / 'key.pub').read_text()}")
    for command in (
        ("run", CASE, "-k", KERNEL),
        ("bundle", CASE, "--key", "key", "-o", "fix.tar"),
        ("export", "ansible", "fix.tar", "-o", "role", "--allowed-signers", "signers"),
    ):
        done = lpharness(*command, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Hosts:
    """The guests, and the playbook over them."""

    def __init__(self, work: Path, stack: ExitStack) -> None:
        self.work = work
        backend = find_backend("qemu")
        self.guests = {
            name: stack.enter_context(backend.start(spec(), deadline=soon())) for name in HOSTS
        }
        ports = {name: answer_ssh(guest, name, work / "key") for name, guest in self.guests.items()}
        write_inventory(work / "hosts.yml", {**ports, "never": 1}, work / "key")

    def play(self, *words: str, role: str = "role", **variables: Any) -> Played:
        chosen: dict[str, Any] = {"allowed_signers": self.work / "signers", "watch": 1}
        chosen |= {"deadline": 6, **variables}
        named = {f"lpharness_livepatch_{key}": value for key, value in chosen.items()}
        home = self.work / "home"
        return play(self.work / role, self.work / "hosts.yml", home, *words, **named)

    def run(self, name: str, script: str) -> str:
        return self.guests[name].transport.run(script, deadline=soon()).text

    def is_on(self, name: str) -> bool:
        return is_on(self.guests[name], NAME)

    def altered(self, name: str, file: str, old: bytes, new: bytes) -> None:
        """Copy the role, and alter a file of the copy."""
        shutil.copytree(self.work / "role", self.work / name)
        path = self.work / name / ROLE / file
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new))


@pytest.fixture(scope="module")
def hosts(work: Path) -> Iterator[Hosts]:
    with ExitStack() as stack:
        yield Hosts(work, stack)


def test_what_is_exported_is_clean(work: Path) -> None:
    """`ansible-lint` by its strictest profile, and yamllint as the folder configures it."""
    offline = {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(work),
        "ANSIBLE_HOME": str(work / "home"),
    }
    for words in (["ansible-lint", "--offline", "--strict", "-q"], ["yamllint", "--strict", "."]):
        done = subprocess.run(
            [BIN / words[0], *words[1:]], cwd=work / "role", capture_output=True, text=True,
            check=False, env=offline,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_bundle_that_was_altered_is_sent_nowhere(hosts: Hosts) -> None:
    hosts.altered("altered", "files/bundles/rollout/statement.json", b"release", b"RELEASE")
    played = hosts.play("--limit", "first", role="altered")
    assert played.status != 0
    assert "statement.json: FAILED" in played.words
    assert hosts.run("first", "ls /var/lib/lpharness-livepatch 2>/dev/null") == ""


def test_a_kernel_that_it_is_not_proven_on_is_refused(hosts: Hosts) -> None:
    """The same release, built otherwise."""
    hosts.altered("other", "vars/main.yml", b'build: "#1 ', b'build: "#2 ')
    played = hosts.play("--limit", "first", role="other")
    assert played.failed == {"first": 1}
    assert f"{NAME} is not proven on this kernel (release=6.1." in played.words
    assert not hosts.is_on("first")


def test_a_wave_that_stalls_or_crashes_is_the_last(hosts: Hosts) -> None:
    sleeps = "/lph/workload sleepers --workers 1 --tasks 1 --park pause >/dev/null 2>&1 &"
    asleep = "until grep -qs pause /proc/[0-9]*/wchan; do :; done"
    hosts.run("stalled", f"{sleeps} {asleep}")
    played = hosts.play("-e", '{"lpharness_livepatch_waves": [1, 3, 1]}', probe=f'"{PROBE}"')
    assert played.status != 0
    assert played.changed == {"first": 2, "well": 2, "stalled": 1, "crashed": 2}, played.said
    assert played.failed == {"first": 0, "well": 0, "stalled": 1, "crashed": 1}, played.said
    assert hosts.is_on("first")
    assert hosts.is_on("well")
    # Who was in the way, where in the kernel; and it is as it was before.
    assert "blocker=" in played.words
    assert "lph-sleeper" in played.words
    assert "stack=__do_sys_pause+" in played.words
    assert f"the transition of {NAME} did not end in 6 s; it was taken off again" in played.words
    assert not hosts.is_on("stalled")
    assert f"the host answers no more since {NAME} was loaded" in played.words
    assert hosts.guests["crashed"].condition()[0] is Condition.PANICKED


def test_again_changes_nothing(hosts: Hosts) -> None:
    played = hosts.play("--limit", "first,well", probe=f'"{PROBE}"')
    assert (played.status, played.changed) == (0, {"first": 0, "well": 0}), played.said


def test_it_is_taken_off_again(hosts: Hosts) -> None:
    played = hosts.play("--limit", "first", state="absent")
    assert (played.status, played.changed) == (0, {"first": 1}), played.said
    assert not hosts.is_on("first")
    assert hosts.is_on("well")


def test_a_machine_that_is_not_well_is_taken_back(hosts: Hosts) -> None:
    hosts.run("first", "echo oopsed > /proc/sys/kernel/hostname")
    played = hosts.play("--limit", "first", probe=f'"{PROBE}"')
    assert played.failed == {"first": 1}, played.said
    assert "problem=the probe ended with status" in played.words
    assert "the kernel said: " in played.words
    assert not hosts.is_on("first")


@pytest.fixture
def script(hosts: Hosts) -> str:
    """The role's script, in the guest that stalled: there the module is kept, and off."""
    file = hosts.work / "role" / ROLE / "files" / "lpharness-livepatch"
    path = "/tmp/lpharness-livepatch"
    hosts.guests["stalled"].transport.put(file, path, mode=0o755, deadline=soon())
    return path


def test_a_connection_that_breaks_leaves_no_transition_behind(hosts: Hosts, script: str) -> None:
    hosts.run("stalled", f"{script} start {NAME} 3 | true")  # nobody reads what it says
    assert not hosts.is_on("stalled")
    said = hosts.run("stalled", "dmesg")
    assert said.count(f"livepatch: '{NAME}': unpatching complete") == 2  # this time, and before


def test_at_boot_it_is_loaded_on_its_kernel_only(hosts: Hosts, script: str) -> None:
    """What the systemd unit calls."""
    start = f"{script} start {NAME} 60"
    hosts.run("stalled", "kill $(pidof workload lph-sleeper)")
    assert hosts.run("stalled", start) == "changed=yes\n"
    assert hosts.run("stalled", start) == "changed=no\n"
    assert hosts.run("stalled", f"{script} remove {NAME} 60") == "changed=yes\n"
    proven = f"/var/lib/lpharness-livepatch/{NAME}/proven"
    hosts.run("stalled", f"sed -i.was 's/^build=#1/build=#2/' {proven}")
    assert "is not proven on this kernel, and stays off" in hosts.run("stalled", start)
    hosts.run("stalled", f"mv {proven}.was {proven}")
    assert not hosts.is_on("stalled")


def test_it_is_not_loaded_beside_another(hosts: Hosts, script: str) -> None:
    case = load("cmdline")
    other = build_module(case, case.modules[0], spec().kernel)
    guest = hosts.guests["stalled"]
    guest.transport.put(other.path, "/tmp/other.ko", deadline=soon())
    hosts.run("stalled", "insmod /tmp/other.ko")
    hosts.run(
        "stalled", f"until grep -q 0 /sys/kernel/livepatch/{other.name}/transition; do :; done"
    )
    said = hosts.run("stalled", f"{script} start {NAME} 60")
    assert f"problem={other.name} is on, and {NAME} was not proven beside it" in said
    assert not hosts.is_on("stalled")


# Guests have no systemd: a stand-in that remembers what is enabled.
_SYSTEMCTL = """#!/bin/sh
case $* in
is-enabled*) cat /run/enabled ;;
*enable*) echo enabled >/run/enabled ;;
*disable*) echo disabled >/run/enabled ;;
esac
"""


def test_the_state_after_a_reboot_is_the_administrators_choice(hosts: Hosts) -> None:
    guest = hosts.guests["well"]
    hosts.run("well", "mkdir -p /usr/local/sbin /etc/systemd/system")
    content = _SYSTEMCTL.encode()
    guest.transport.put(content, "/usr/bin/systemctl", mode=0o755, deadline=soon())
    for at_boot, enabled in (("true", "enabled"), ("false", "disabled")):
        played = hosts.play("--limit", "well", at_boot=at_boot)
        assert (played.status, played.changed) == (0, {"well": 1}), played.said
        assert hosts.run("well", "cat /run/enabled") == f"{enabled}\n"
    modes = hosts.run(
        "well", "stat -c %a /usr/local/sbin/lpharness* /etc/systemd/system/lpharness*"
    )
    assert modes == "755\n644\n"


def test_the_unit_is_one(work: Path) -> None:
    unit = work / "role" / ROLE / "files" / "lpharness-livepatch@.service"
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "is not executable" not in line]
    assert complaints == []
