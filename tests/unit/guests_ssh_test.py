"""What SSH to a guest is made of, without a guest."""

import base64
import shutil
import subprocess

import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.base.errors import GuestError
from lpharness.guests import ssh
from lpharness.guests.ssh_connection import SshConnection
from lpharness.guests.ssh_keys import GuestKeys


@pytest.mark.skipif(shutil.which("dropbearkey") is None, reason="dropbearkey is not installed")
def test_dropbear_reads_the_host_key(tmp_path):
    keys = GuestKeys()
    path = tmp_path / "host-key"
    path.write_bytes(keys.dropbear_host_key())
    said = subprocess.run(
        ["dropbearkey", "-y", "-f", path], capture_output=True, text=True, check=True
    ).stdout
    assert f"ssh-ed25519 {base64.b64encode(keys.host_public).decode()} " in said


def test_no_two_guests_share_a_key():
    first, second = GuestKeys(), GuestKeys()
    assert first.host_public != second.host_public
    assert first.authorized_keys() != second.authorized_keys()


def test_the_authorized_key_is_the_clients():
    keys = GuestKeys()
    kind, blob, _ = keys.authorized_keys().split()
    assert kind == "ssh-ed25519"
    assert base64.b64decode(blob) == keys.client.asbytes()


@given(st.lists(st.binary(min_size=1, max_size=7), max_size=8))
def test_the_leaders_line_is_taken_off_however_it_comes(pieces):
    rest = b"".join(pieces)
    got = bytearray()
    leader = ssh._Leader(got.extend)
    for piece in (b"12", b"34\n" + rest[:1], rest[1:]):
        leader(piece)
    assert leader.pid == 1234
    assert bytes(got) == rest


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_words_reach_the_program_as_they_are(words):
    line = ssh._wrapped(["printf", "%s\\0", *words], has_input=False)
    said = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True).stdout
    _, _, rest = said.partition(b"\n")
    assert rest == b"".join(word.encode() + b"\0" for word in words)


@pytest.mark.parametrize(("command", "status"), [("exit 7", 7), ("kill -TERM $$", 143)])
def test_the_wrapper_tells_every_end_as_a_status(command, status):
    line = ssh._wrapped(command, has_input=False)
    assert subprocess.run(["/bin/sh", "-c", line], capture_output=True).returncode == status


def test_too_long():
    with pytest.raises(GuestError, match="too long"):
        ssh._wrapped("x" * 9000, has_input=False)


def test_paramiko_has_what_the_connection_replaces():
    """Private names: a paramiko without them must fail here, not in a guest."""
    table = paramiko.Transport._channel_handler_table
    assert set(SshConnection._channel_handler_table) == set(table)
    assert hasattr(paramiko.Transport, "_send_user_message")
    assert hasattr(paramiko.Transport, "_unlink_channel")
    assert hasattr(paramiko.Channel, "_set_closed")
