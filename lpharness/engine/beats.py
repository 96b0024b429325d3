"""Heartbeats in a guest's kernel, finer than those of processes: the module ``lph_beats``.

``beats/lph_beats.c`` tells what counts as a beat. It is no part of what is under test, and is there
only where a trial asks for it. Nothing is judged here.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError
from lpharness.base.progress import SILENT, Progress
from lpharness.base.resources import data_dir
from lpharness.engine.beat_period import choose, remember
from lpharness.engine.build import build_plain
from lpharness.guests.contract import Guest
from lpharness.kernels.model import Kernel
from lpharness.timeline.events import BeatGap, BeatsBegan, BeatsRead
from lpharness.timeline.recorder import Recorder

NAME = "lph_beats"
_FILE = f"/proc/{NAME}"
_PLACE = f"/tmp/{NAME}.ko"  # noqa: S108 — the guest's own


def build_beats(kernel: Kernel, progress: Progress = SILENT) -> Path:
    """Return the module for a kernel, from the cache if it was built before.

    Raises:
        BuildError: it does not compile for this kernel, or the fitting compiler is not installed.
        HostError: tools or space are missing.
    """
    return build_plain(data_dir("beats") / f"{NAME}.c", kernel, progress)


class Heart(Struct, frozen=True, kw_only=True):
    """What ``/proc/lph_beats`` says of a CPU, since the start."""

    beats: int
    counts: dict[int, int]
    """Gaps of any length, by how many bits that has."""
    gaps: dict[int, BeatGap]
    """By number, in order; those that are overwritten by now are missing."""


_NEW = Heart(beats=0, counts={}, gaps={})


class Reading(Struct, frozen=True, kw_only=True):
    """``/proc/lph_beats``, read."""

    at_ns: int
    period_ns: int
    kept_ns: int
    cost_ns: int
    hearts: dict[int, Heart]
    """By CPU."""


def parse(text: str) -> Reading:
    """Read ``/proc/lph_beats``; its form is told at the top of ``beats/lph_beats.c``.

    Raises:
        GuestError: it is not of that form.
    """
    head: tuple[int, ...] = ()
    hearts: dict[int, tuple[int, dict[int, int]]] = {}
    gaps: dict[int, dict[int, BeatGap]] = {}
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        try:
            if kind == "beats":
                head = _numbers(fields, 4)
            elif kind == "cpu":
                cpu, beats = _numbers(fields[:-1], 2)
                hearts[cpu] = beats, _counts(fields[-1])
            elif kind == "gap":
                cpu, number, *times = _numbers(fields, 5)
                gaps.setdefault(cpu, {})[number] = BeatGap(*times)
            else:
                raise ValueError(kind)
        except (ValueError, IndexError) as error:
            raise GuestError(f"{_FILE} has an unknown line: {line[:200]!r}") from error
    if not head or not hearts or not gaps.keys() <= hearts.keys():
        raise GuestError(f"{_FILE} is not whole: {text[:200]!r}")
    at, period, least, cost = head
    return Reading(
        at_ns=at,
        period_ns=period,
        kept_ns=least,
        cost_ns=cost,
        hearts={
            cpu: Heart(beats=beats, counts=counts, gaps=dict(sorted(gaps.get(cpu, {}).items())))
            for cpu, (beats, counts) in hearts.items()
        },
    )


def _numbers(fields: list[str], count: int) -> tuple[int, ...]:
    if len(fields) != count:
        raise ValueError(fields)
    return tuple(map(int, fields))


def _counts(text: str) -> dict[int, int]:
    pairs = (pair.split(":") for pair in text.split(",") if pair)
    return {int(bits): int(number) for bits, number in pairs}


def since(now: Heart, last: int) -> tuple[tuple[BeatGap, ...], int]:
    """Return the gaps after the one of a number, and how many of them have no place any more."""
    fresh = {number: gap for number, gap in now.gaps.items() if number > last}
    came = max(fresh, default=last) - last
    return tuple(fresh.values()), came - len(fresh)


def _more(now: dict[int, int], before: dict[int, int]) -> dict[int, int]:
    more = {bits: number - before.get(bits, 0) for bits, number in now.items()}
    return {bits: number for bits, number in more.items() if number}


class KernelHeartbeat:
    """The module in a guest: loaded, read again and again, unloaded."""

    def __init__(self, module: Path, guest: Guest, recorder: Recorder) -> None:
        self._module = module
        self._guest = guest
        self._recorder = recorder
        self._had: dict[int, Heart] = {}

    def start(self, deadline: Deadline) -> None:
        """Load it, with the period that fits the guest.

        Raises:
            GuestError: it does not load.
        """
        transport = self._guest.transport
        period = choose(self._guest, self._module)
        transport.put(self._module, _PLACE, deadline=deadline)
        loaded = transport.run(f"insmod {_PLACE} period_ns={period.ns}", deadline=deadline)
        if loaded.exit_status != 0:
            said = loaded.stderr.decode(errors="replace").strip()
            raise GuestError(f"the heartbeats in the kernel do not begin: {said}")
        reading = self._read(deadline)
        if not period.ns:
            remember(self._guest, self._module, reading.period_ns)
        self._recorder.add(
            BeatsBegan(
                host_ns=self._recorder.now(),
                guest_ns=reading.at_ns,
                period_ns=reading.period_ns,
                kept_ns=reading.kept_ns,
                cost_ns=reading.cost_ns,
                chosen=period.chosen,
            )
        )

    def read(self, deadline: Deadline) -> None:
        """Write down what the hearts did since this was last done.

        Raises:
            GuestError: it cannot be read.
        """
        now = self._read(deadline)
        for cpu, heart in sorted(now.hearts.items()):
            had = self._had.get(cpu, _NEW)
            gaps, lost = since(heart, max(had.gaps, default=0))
            self._recorder.add(
                BeatsRead(
                    host_ns=self._recorder.now(),
                    guest_ns=now.at_ns,
                    cpu=cpu,
                    beats=heart.beats - had.beats,
                    gaps=gaps,
                    lost=lost,
                    counts=_more(heart.counts, had.counts),
                )
            )
        self._had = now.hearts

    def stop(self, deadline: Deadline) -> None:
        """Unload it.

        Raises:
            GuestError: it stays.
        """
        gone = self._guest.transport.run(f"rmmod {NAME}", deadline=deadline)
        if gone.exit_status != 0:
            said = gone.stderr.decode(errors="replace").strip()
            raise GuestError(f"the heartbeats in the kernel do not end: {said}")

    def _read(self, deadline: Deadline) -> Reading:
        text = self._guest.transport.get(_FILE, deadline=deadline)
        return parse(text.decode(errors="replace"))
