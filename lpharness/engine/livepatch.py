"""Loading, disabling, reversing and unloading a livepatch in a guest."""

from __future__ import annotations

import shlex
from pathlib import Path

from msgspec import Struct

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired
from lpharness.engine.registrar import LIVEPATCH, Registrar
from lpharness.engine.saying import said
from lpharness.engine.watcher import Direction, TransitionOver, Watcher
from lpharness.guests.contract import Guest
from lpharness.timeline.events import ActionTaken, LeftInside, ModuleLoadTried, ModuleUnloadTried
from lpharness.timeline.recorder import Recorder

# What finit_module's error numbers mean here: kernel/module/main.c, kernel/livepatch/core.c.
_REASONS = {
    2: "ENOENT: an unknown symbol, or a patched function whose size is unknown",
    8: "ENOEXEC: not a module for this kernel (vermagic, architecture or a broken file)",
    16: "EBUSY: another transition runs, another user of IPMODIFY, or ftrace is disabled",
    17: "EEXIST: it is loaded already",
    19: "ENODEV: livepatch is not initialised",
    22: "EINVAL: not marked livepatch, empty, or a symbol is missing or ambiguous",
}

_UNLOAD_WAIT_S = 10.0
_LOOK_S = 5.0
_LATE_S = 2.0


class _Loaded(Struct):
    errno: int
    began: int
    ended: int


class _Unloaded(Struct):
    errno: int
    refcount: int
    began: int
    released: int
    ended: int
    inside: tuple[LeftInside, ...] = ()


class LivepatchControl:
    """The hands of a trial: each act is recorded with the kernel's own answer."""

    def __init__(
        self,
        guest: Guest,
        watcher: Watcher,
        recorder: Recorder,
        registrar: Registrar = LIVEPATCH,
    ) -> None:
        self._guest = guest
        self._folder = registrar.folder
        self._watcher = watcher
        self._recorder = recorder
        self._expected = ""

    def upload(self, name: str, module: Path, deadline: Deadline) -> None:
        """Put a module's file into the guest."""
        self._guest.transport.put(module, self._path(name), deadline=deadline)

    def load(self, name: str, deadline: Deadline) -> int:
        """Load an uploaded module; return 0 or the kernel's error number."""
        self._expect(name)
        result = self._guest.transport.run(
            ["/lph/watch", "load", self._path(name)], deadline=deadline
        )
        told = said(f"load of {name}", result, _Loaded)
        self._recorder.add(
            ModuleLoadTried(
                host_ns=self._recorder.now(),
                guest_ns=told.ended,
                module=name,
                errno=told.errno,
                seconds=(told.ended - told.began) / 1e9,
                detail=_REASONS.get(told.errno, f"errno {told.errno}") if told.errno else "",
            )
        )
        return told.errno

    def set_enabled(self, name: str, enabled: bool, deadline: Deadline) -> bool:
        """Write ``enabled``: disable a patch, or reverse its running transition."""
        self._expect(name)
        return self._write(name, "enabled", str(int(enabled)), deadline)

    def force(self, name: str, deadline: Deadline) -> bool:
        """Write ``force``, which pins the outgoing module for ever."""
        return self._write(name, "force", "1", deadline)

    def unload(self, name: str, deadline: Deadline, *, awaited: bool = True) -> int:
        """Wait for the reference count and unload; return 0 or the error number.

        Args:
            name: the module.
            deadline: for all of it.
            awaited: whether the count is waited for, not where it can never drop to 0.
        """
        wait_ms = int(min(_UNLOAD_WAIT_S, deadline.remaining()) * 1000) if awaited else 0
        result = self._guest.transport.run(
            ["/lph/watch", "unload", name, str(wait_ms)], deadline=deadline
        )
        told = said(f"unload of {name}", result, _Unloaded)
        self._recorder.add(
            ModuleUnloadTried(
                host_ns=self._recorder.now(),
                guest_ns=told.ended,
                module=name,
                errno=told.errno,
                seconds=(told.ended - told.released) / 1e9,
                waited_s=(told.released - told.began) / 1e9,
                detail=f"reference count {told.refcount}" if told.errno else "",
                inside=told.inside,
            )
        )
        return told.errno

    def await_transition(self, direction: Direction, deadline: Deadline) -> None:
        """Wait until the watcher tells that the transition is complete.

        The watcher may miss that (somebody switched the kernel's probes off, for example), so the
        patch's own folder is looked at every few seconds: what is over is not waited for.

        Raises:
            DeadlineExpired: it is not; the timeline says who blocks.
            TransitionOver: it will not be, or nobody saw it.
        """
        while True:
            try:
                self._watcher.await_mark("completed", direction, deadline.sooner(_LOOK_S))
                return
            except TransitionOver:
                raise
            except DeadlineExpired:
                if deadline.expired:
                    raise
            if not self._in_transition(deadline):
                self._await_late_mark(direction, deadline.sooner(_LATE_S))
                return

    def _await_late_mark(self, direction: Direction, deadline: Deadline) -> None:
        try:
            self._watcher.await_mark("completed", direction, deadline)
        except DeadlineExpired as error:
            what = f"{direction} of '{self._expected}' is over, and was not seen to complete"
            raise TransitionOver(what) from error

    def _expect(self, name: str) -> None:
        self._expected = name
        self._watcher.expect(name)

    def _in_transition(self, deadline: Deadline) -> bool:
        """Ask the kernel; a guest that does not answer counts as still at it."""
        path = f"{self._folder}/{shlex.quote(self._expected)}/transition"
        try:
            said = self._guest.transport.run(f"cat {path}", deadline=deadline)
        except DeadlineExpired:
            return True
        return said.stdout.strip() == b"1"

    def _write(self, name: str, attribute: str, value: str, deadline: Deadline) -> bool:
        path = f"{self._folder}/{shlex.quote(name)}/{attribute}"
        result = self._guest.transport.run(f"echo {value} > {path}", deadline=deadline)
        detail = result.stderr.decode(errors="replace").strip()
        self._recorder.add(
            ActionTaken(
                host_ns=self._recorder.now(),
                guest_ns=result.guest_ended_ns,
                action=f"write {value} to {attribute} of {name}",
                exit_status=result.exit_status,
                detail=detail,
            )
        )
        return result.exit_status == 0

    @staticmethod
    def _path(name: str) -> str:
        return f"/tmp/{name}.ko"  # noqa: S108 — the guest's /tmp, a tmpfs of its own
