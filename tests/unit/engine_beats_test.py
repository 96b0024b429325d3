"""What ``/proc/lph_beats`` says becomes events: each gap once, and none in silence."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.base.cache import Cache
from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError
from lpharness.engine import beats
from lpharness.engine.beat_period import DEFAULT_NS, choose, remember
from lpharness.engine.beats import Heart, KernelHeartbeat, parse, since
from lpharness.guests.contract import CommandResult
from lpharness.timeline.events import BeatGap, BeatsBegan, BeatsRead
from lpharness.timeline.recorder import Recorder

# As read in a guest, the slots of the ring in no order.
FIRST = (
    "beats\t5000000\t1000000\t3000000\t21000\n"
    "cpu\t0\t40\t20:38,23:2\n"
    "gap\t0\t2\t4000000\t3500000\t3500000\n"
    "gap\t0\t1\t900000\t3100000\t1200000\n"
    "cpu\t1\t44\t20:44\n"
)
SECOND = (
    "beats\t9000000\t1000000\t3000000\t21000\n"
    "cpu\t0\t48\t20:43,23:4,25:1\n"
    "gap\t0\t5\t8000000\t3900000\t3900000\n"
    "gap\t0\t2\t4000000\t3500000\t3500000\n"
    "cpu\t1\t50\t20:50\n"
)


def test_each_cpu_with_its_gaps_in_order() -> None:
    reading = parse(FIRST)
    assert (reading.at_ns, reading.period_ns, reading.kept_ns) == (5_000_000, 1_000_000, 3_000_000)
    assert reading.cost_ns == 21_000
    assert reading.hearts[0] == Heart(
        beats=40,
        counts={20: 38, 23: 2},
        gaps={
            1: BeatGap(900_000, 3_100_000, 1_200_000),
            2: BeatGap(4_000_000, 3_500_000, 3_500_000),
        },
    )
    assert list(reading.hearts[0].gaps) == [1, 2]
    assert reading.hearts[1].gaps == {}


def test_a_cpu_that_kept_nothing_yet_is_told_of() -> None:
    assert parse("beats\t1\t2\t6\t0\ncpu\t0\t0\t\n").hearts[0].counts == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense\n",
        "beats\t1\t2\t3\n",
        "beats\t1\t2\t3\t4\n",
        "cpu\t0\t1\t\n",
        "beats\t1\t2\t3\t4\ncpu\t0\t1\tx:y\n",
        "beats\t1\t2\t3\t4\ncpu\t0\t1\t\ngap\t0\t1\t2\n",
        "beats\t1\t2\t3\t4\ncpu\t0\t1\t\ngap\t1\t1\t2\t3\t4\n",
    ],
)
def test_what_is_not_of_that_form_is_refused(text: str) -> None:
    with pytest.raises(GuestError, match="/proc/lph_beats"):
        parse(text)


numbers = st.integers(min_value=0, max_value=2**64 - 1)
gaps = st.dictionaries(numbers, st.tuples(numbers, numbers, numbers), max_size=5)


@given(st.dictionaries(st.integers(0, 63), st.tuples(numbers, gaps), min_size=1))
def test_what_the_module_writes_is_read_back(
    hearts: dict[int, tuple[int, dict[int, tuple[int, int, int]]]],
) -> None:
    lines = ["beats\t1\t2\t3\t4"]
    for cpu, (beats_, found) in hearts.items():
        lines.append(f"cpu\t{cpu}\t{beats_}\t63:{beats_}")
        lines += [f"gap\t{cpu}\t{n}\t{e}\t{length}\t{d}" for n, (e, length, d) in found.items()]
    read = parse("\n".join(lines) + "\n").hearts
    assert read.keys() == hearts.keys()
    for cpu, (beats_, found) in hearts.items():
        assert (read[cpu].beats, read[cpu].counts) == (beats_, {63: beats_})
        assert read[cpu].gaps == {number: BeatGap(*gap) for number, gap in found.items()}
        assert list(read[cpu].gaps) == sorted(found)


@given(
    st.integers(min_value=0, max_value=40),
    st.integers(min_value=1, max_value=10),
    st.lists(st.integers(min_value=0, max_value=40), max_size=4),
)
def test_each_gap_is_told_once_or_counted_as_lost(count: int, room: int, looks: list[int]) -> None:
    """Whenever it is read, and however few gaps the module has a place for."""
    told: list[int] = []
    lost = last = 0
    for look in [*sorted(min(look, count) for look in looks), count]:
        there = range(max(0, look - room) + 1, look + 1)
        now = Heart(beats=0, counts={}, gaps={n: BeatGap(n, 1, 1) for n in there})
        fresh, missed = since(now, last)
        told += [gap.ended_ns for gap in fresh]
        lost += missed
        last = max(now.gaps, default=0)
    assert told == sorted(set(told))
    assert set(told) <= set(range(1, count + 1))
    assert len(told) + lost == count


class Guest:
    """One whose file says what it is told to."""

    def __init__(self, *says: str, accelerator: str = "tcg", loads: int = 0) -> None:
        self._says = list(says)
        self._loads = loads
        self.ran: list[str] = []
        self.start = SimpleNamespace(accelerator=accelerator, backend_version="QEMU 7")
        self.spec = SimpleNamespace(cpus=2)
        self.transport = self

    def put(self, content: object, path: str, *, deadline: Deadline) -> None: ...

    def get(self, path: str, *, deadline: Deadline) -> bytes:
        return self._says.pop(0).encode()

    def run(self, command: str, *, deadline: Deadline) -> CommandResult:
        self.ran.append(command)
        return CommandResult(exit_status=self._loads, stdout=b"", stderr=b"no room", seconds=0.0)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LPHARNESS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "lph_beats.ko"
    path.write_bytes(b"a module")
    return path


def heartbeat(guest: Guest, module: Path) -> tuple[KernelHeartbeat, Recorder]:
    recorder = Recorder()
    any_guest: Any = guest
    return KernelHeartbeat(module, any_guest, recorder), recorder


def test_only_what_is_new_is_written_down(module: Path) -> None:
    heart, recorder = heartbeat(Guest(FIRST, FIRST, SECOND), module)
    heart.start(Deadline.after(1))
    heart.read(Deadline.after(1))
    heart.read(Deadline.after(1))
    began, *read = recorder.events
    assert isinstance(began, BeatsBegan)
    assert (began.period_ns, began.kept_ns, began.cost_ns) == (1_000_000, 3_000_000, 21_000)
    assert began.chosen == "measured"
    first, _, second, other = read
    assert isinstance(first, BeatsRead)
    assert isinstance(second, BeatsRead)
    assert isinstance(other, BeatsRead)
    assert (first.beats, len(first.gaps), first.lost) == (40, 2, 0)
    assert (second.beats, second.gaps) == (8, (BeatGap(8_000_000, 3_900_000, 3_900_000),))
    assert second.lost == 2  # three came, of which one had a place
    assert second.counts == {20: 5, 23: 2, 25: 1}
    assert (other.beats, other.counts) == (6, {20: 6})


def test_what_does_not_load_says_why(module: Path) -> None:
    heart, recorder = heartbeat(Guest(loads=1), module)
    with pytest.raises(GuestError, match="no room"):
        heart.start(Deadline.after(1))
    assert recorder.events == []


def test_a_period_is_found_once_and_then_remembered(module: Path) -> None:
    one, other = Guest(FIRST), Guest(FIRST)
    heartbeat(one, module)[0].start(Deadline.after(1))
    heart, recorder = heartbeat(other, module)
    heart.start(Deadline.after(1))
    assert one.ran == ["insmod /tmp/lph_beats.ko period_ns=0"]
    assert other.ran == ["insmod /tmp/lph_beats.ko period_ns=1000000"]
    (began,) = recorder.events
    assert isinstance(began, BeatsBegan)
    assert began.chosen == "remembered"


def test_kvm_needs_no_looking(module: Path) -> None:
    guest: Any = Guest(accelerator="kvm")
    assert (choose(guest, module).ns, choose(guest, module).chosen) == (DEFAULT_NS, "default")


def test_other_guests_find_their_own(module: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    guest: Any = Guest()
    remember(guest, module, 500_000, cache)
    assert choose(guest, module, cache).ns == 500_000
    guest.spec.cpus = 3
    assert choose(guest, module, cache).chosen == "measured"
    guest.spec.cpus = 2
    module.write_bytes(b"another module")
    assert choose(guest, module, cache).chosen == "measured"


def test_the_module_is_there_to_be_built() -> None:
    assert (beats.data_dir("beats") / f"{beats.NAME}.c").is_file()
