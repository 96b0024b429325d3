"""What this machine can do, proved by doing it: each examination tries the thing itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct

from lpharness.base.architecture import NATIVE
from lpharness.base.cache import Cache
from lpharness.base.deadline import Deadline
from lpharness.base.errors import HostError, LpharnessError
from lpharness.base.process import find_tool
from lpharness.base.progress import SILENT, Progress
from lpharness.guests.contract import GuestSpec
from lpharness.images import build
from lpharness.kernels import Kernel, resolve
from lpharness.kernels.store import cached_entries, kernel_of

_GIB = 1 << 30
_DISK_NEEDED, _DISK_COMFORT = 2 * _GIB, 8 * _GIB
"""Two kernels with headers, an image, snapshots; the ``debian`` image and a few kernels more."""
_MEMORY_NEEDED, _MEMORY_COMFORT = _GIB, 2 * _GIB
"""A guest of 512 MB takes up to 700 MB with QEMU's own, a compiler beside it the rest."""
_BOOT_S = 120.0

Quality = Literal["ok", "warn", "bad"]


class Finding(Struct, frozen=True, kw_only=True):
    """The outcome of one examination."""

    name: str
    quality: Quality
    """``bad``: lpharness cannot do its work without; ``warn``: it can, but less well."""
    detail: str
    hint: str = ""


class Doctor:
    """Examines the host, one thing after the other; later ones build on earlier ones."""

    def __init__(self, kernel: str = "debian:6.1-cloud", *, progress: Progress = SILENT) -> None:
        """Prepare to examine.

        Args:
            kernel: the kernel to boot; if it cannot be had, the newest cached one is taken.
            progress: told of each step.
        """
        self._wanted = kernel
        self._progress = progress
        self._cache = Cache()
        self._kernel: Kernel | None = None
        self._spec: GuestSpec | None = None

    def examine(self) -> list[Finding]:
        """Return all findings; takes some ten seconds under emulation, more with a cold cache."""
        steps: list[tuple[str, Callable[[], Finding]]] = [
            ("qemu", self._qemu),
            ("setpriv", self._setpriv),
            ("compiler", self._compiler),
            ("disk", self._disk),
            ("memory", self._memory),
            ("archive", self._archive),
            ("kernel", self._find_kernel),
            ("image", self._image),
            ("accelerator", self._accelerator),
            ("boot", self._boot),
            ("restore", self._restore),
            ("libvirt", self._libvirt),
        ]
        return [self._try(name, step) for name, step in steps]

    def _try(self, name: str, step: Callable[[], Finding]) -> Finding:
        with self._progress.step(f"examining {name}"):
            try:
                return step()
            except LpharnessError as error:
                return Finding(
                    name=name, quality="bad", detail=error.message, hint=error.hint or ""
                )

    # --- the host ---------------------------------------------------------------------------

    @staticmethod
    def _qemu() -> Finding:
        from lpharness.guests.qemu_command import program, version

        return Finding(name="qemu", quality="ok", detail=version(program(NATIVE)))

    @staticmethod
    def _setpriv() -> Finding:
        """Without it a guest could outlive the harness."""
        try:
            subprocess.run(
                ["setpriv", "--pdeathsig", "KILL", "--", "true"],
                check=True,
                capture_output=True,
                timeout=20,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise HostError(
                f"setpriv --pdeathsig does not work: {error}", hint="apt install util-linux"
            ) from error
        return Finding(name="setpriv", quality="ok", detail="guests end with the harness")

    @staticmethod
    def _compiler() -> Finding:
        """The guest's own programs are static; a module needs make besides."""
        hint = "apt install gcc libc6-dev make"
        if shutil.which("make") is None:
            raise HostError("make is not installed", hint=hint)
        with tempfile.TemporaryDirectory(prefix="lpharness-doctor-") as folder:
            source = Path(folder, "answer.c")
            source.write_text("int main(void) { return 42; }\n", encoding="ascii")
            program = Path(folder, "answer")
            try:
                subprocess.run(
                    ["gcc", "-static", "-o", program, source],
                    check=True,
                    capture_output=True,
                    timeout=60,
                )
                status = subprocess.run([program], check=False, timeout=20).returncode
                said = subprocess.run(
                    ["gcc", "--version"], check=True, capture_output=True, text=True, timeout=20
                ).stdout
            except (OSError, subprocess.SubprocessError) as error:
                raise HostError(f"no static C program can be built: {error}", hint=hint) from error
        if status != 42:
            raise HostError(f"a program that gcc built returns {status}, not 42", hint=hint)
        return Finding(name="compiler", quality="ok", detail=said.splitlines()[0])

    def _disk(self) -> Finding:
        root = self._cache.root
        while not root.exists():
            root = root.parent
        free = shutil.disk_usage(root).free
        detail = f"{free / _GIB:.1f} GiB free for {self._cache.root}"
        if not os.access(root, os.W_OK):
            raise HostError(f"{root} cannot be written", hint="name a folder in LPHARNESS_CACHE")
        if free < _DISK_COMFORT:
            return Finding(
                name="disk",
                quality="bad" if free < _DISK_NEEDED else "warn",
                detail=detail,
                hint="run `lpharness kernels prune`, or name another folder in LPHARNESS_CACHE",
            )
        return Finding(name="disk", quality="ok", detail=detail)

    @staticmethod
    def _memory() -> Finding:
        import psutil

        available = psutil.virtual_memory().available
        detail = f"{available / _GIB:.1f} GiB available, {os.cpu_count()} CPUs"
        if available < _MEMORY_COMFORT:
            quality: Quality = "bad" if available < _MEMORY_NEEDED else "warn"
            return Finding(
                name="memory", quality=quality, detail=detail, hint="end something, or run less"
            )
        return Finding(name="memory", quality="ok", detail=detail)

    # --- what guests are made of ------------------------------------------------------------

    def _archive(self) -> Finding:
        from lpharness.archive import Archive

        cached = len(cached_entries(self._cache))
        try:
            found = Archive(progress=self._progress).find("linux-image-*-amd64")
        except LpharnessError as error:
            if not cached:
                raise
            detail = f"{error.message}; {cached} kernels are cached"
            return Finding(name="archive", quality="warn", detail=detail, hint=error.hint or "")
        detail = f"{len(found)} kernel packages in the archive, {cached} kernels cached"
        return Finding(name="archive", quality="ok", detail=detail)

    def _find_kernel(self) -> Finding:
        try:
            self._kernel = resolve(self._wanted, progress=self._progress)
        except HostError as error:
            entries = cached_entries(self._cache)
            if not entries:
                raise
            self._kernel = kernel_of(entries[0][0], self._wanted)
            return Finding(
                name="kernel",
                quality="warn",
                detail=f"{error.message}; going on with {self._kernel.release} from the cache",
                hint=error.hint or "",
            )
        return Finding(name="kernel", quality="ok", detail=self._kernel.release)

    def _image(self) -> Finding:
        if self._kernel is None:
            raise HostError("not tried: there is no kernel to make an image for")
        image = build("minimal", self._kernel, progress=self._progress)
        self._spec = GuestSpec(kernel=self._kernel, image=image)
        size = image.initramfs.stat().st_size / (1 << 20)
        return Finding(name="image", quality="ok", detail=f"minimal, {size:.1f} MiB")

    # --- guests -----------------------------------------------------------------------------

    def _accelerator(self) -> Finding:
        from lpharness.guests.qemu import QemuBackend

        choice = QemuBackend(self._cache).accelerator(self._needed_spec())
        if choice.name == "kvm":
            return Finding(name="accelerator", quality="ok", detail=f"kvm: {choice.why}")
        return Finding(
            name="accelerator",
            quality="warn",
            detail=f"tcg: {choice.why}",
            hint="all works under emulation, some ten times slower",
        )

    def _boot(self) -> Finding:
        return self._start("boot", fresh=True)

    def _restore(self) -> Finding:
        first = self._start("restore", fresh=False)  # may have to make the snapshot
        return self._start("restore", fresh=False) if first.quality == "ok" else first

    def _start(self, name: str, *, fresh: bool) -> Finding:
        from lpharness.guests.qemu import QemuBackend

        spec = self._needed_spec()
        began = time.monotonic()
        deadline = Deadline.after(_BOOT_S)
        with QemuBackend(self._cache).start(spec, fresh=fresh, deadline=deadline) as guest:
            said = guest.transport.run("uname -r", deadline=deadline).text.strip()
            seconds = time.monotonic() - began
        if said != spec.kernel.release:
            raise HostError(f"the guest runs {said!r}, not {spec.kernel.release}")
        detail = f"a guest of {said} answered after {seconds:.2f} s"
        if guest.start.how != name:
            return Finding(
                name=name,
                quality="warn",
                detail=f"{detail}, but by a {guest.start.how}: {guest.start.why}",
                hint="every guest is booted, which takes longer",
            )
        return Finding(name=name, quality="ok", detail=detail)

    def _needed_spec(self) -> GuestSpec:
        if self._spec is None:
            raise HostError("not tried: there is no image to boot")
        return self._spec

    @staticmethod
    def _libvirt() -> Finding:
        """Libvirt is an option, so nothing here is ever ``bad``."""
        try:
            import libvirt
        except ImportError:
            return Finding(
                name="libvirt",
                quality="warn",
                detail="libvirt-python is not installed; only --backend libvirt needs it",
                hint="pip install 'lpharness[libvirt]'",
            )
        libvirt.registerErrorHandler(lambda *_: None, None)
        number = libvirt.getVersion()
        version = f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"
        answers = []
        why = ""
        for uri in ("qemu:///system", "qemu:///session"):
            try:
                libvirt.open(uri).close()
                answers.append(uri)
            except libvirt.libvirtError as error:
                why = str(error)
        if answers:
            detail = f"{version}, {' and '.join(answers)} answer"
            return Finding(name="libvirt", quality="ok", detail=detail)
        return Finding(
            name="libvirt",
            quality="warn",
            detail=f"{version}, no daemon answers: {why}",
            hint="only --backend libvirt needs it: "
            + (
                "as root, `virtlogd -d; libvirtd -d`"
                if find_tool("libvirtd")
                else "apt install libvirt-daemon-system"
            ),
        )
