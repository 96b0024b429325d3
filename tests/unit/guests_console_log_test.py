"""The console, cut into lines however it comes."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.base.errors import HostError
from lpharness.guests.console_log import ConsoleLog, ConsoleReader


@given(
    st.lists(st.text(alphabet="abü \t", max_size=12), max_size=12),
    st.data(),
)
def test_pieces_do_not_matter(lines, data):
    raw = "".join(f"{line}\r\n" for line in lines).encode()
    log = ConsoleLog()
    heard = []
    log.on_line(heard.append)
    at = 0
    while at < len(raw):
        size = data.draw(st.integers(1, len(raw) - at))
        log.feed(raw[at : at + size])
        at += size
    assert [line.text for line in log.lines] == lines
    assert [line.number for line in log.lines] == list(range(1, len(lines) + 1))
    assert list(log.lines) == heard


def test_a_last_line_without_an_end_is_kept(tmp_path):
    log = ConsoleLog(tmp_path / "console.log")
    log.feed(b"whole\nKernel panic - not sync")
    assert [line.text for line in log.lines] == ["whole"]
    log.close()
    assert [line.text for line in log.lines] == ["whole", "Kernel panic - not sync"]
    assert (tmp_path / "console.log").read_bytes() == b"whole\nKernel panic - not sync"


def test_bytes_that_are_no_text():
    log = ConsoleLog()
    log.feed(b"\xff\xfe\x00\n")
    assert len(log.lines) == 1


def test_findings_are_those_of_the_classifier():
    log = ConsoleLog()
    log.feed(b"[    9.000000] Kernel panic - not syncing: sysrq triggered crash\n")
    log.close()
    assert [finding.name for finding in log.findings] == ["panic"]


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(HostError, match="cannot write"):
        ConsoleLog(tmp_path / "missing" / "console.log")


def test_reader_takes_everything_before_it_closes():
    ours, theirs = socket.socketpair()
    log = ConsoleLog()
    reader = ConsoleReader(ours, log)
    theirs.sendall(b"line\n" * 1000)
    theirs.close()
    reader.close()
    assert len(log.lines) == 1000
