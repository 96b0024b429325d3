"""Whole kernel trees for builders that build whole kernels: copies, which may be changed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lpharness.archive import Archive
from lpharness.base.errors import HostError, InputError
from lpharness.kernels import with_headers
from lpharness.kernels.debug_info import fetch_debug_vmlinux
from lpharness.kernels.model import Kernel
from lpharness.sources.package import unpack_whole_source

if TYPE_CHECKING:
    from lpharness.engine.builders.outside import Workbench

_LEFT_BEHIND = frozenset({".git", "klp-tmp"})
# Options that name files which only Debian's own build had.
_MENDED = {
    "CONFIG_SYSTEM_TRUSTED_KEYS": '""',
    "CONFIG_SYSTEM_REVOCATION_KEYS": '""',
    "CONFIG_MODULE_SIG_KEY": '"certs/signing_key.pem"',
}


def own_tree(kernel: Kernel) -> Path | None:
    """Return the tree that a kernel named ``tree:PATH`` or ``built:…`` was built in."""
    kind, _, path = kernel.origin.spec.partition(":")
    if kind == "built":
        return kernel.headers
    return Path(path).expanduser().absolute() if kind == "tree" else None


def lay_out_kernel(kernel: Kernel, folder: Path, bench: Workbench) -> None:
    """Put a configured tree of a kernel into ``folder``, with all that a full build needs.

    Raises:
        InputError: there is no source of exactly that kernel.
        HostError: it cannot be copied or unpacked.
    """
    folder.mkdir()
    root = own_tree(kernel)
    if root is not None:
        parts = sorted(str(path) for path in root.iterdir() if path.name not in _LEFT_BEHIND)
        with bench.progress.step(f"copy {root}"):
            _run(bench, kernel, folder, f"copy {root}",
                 ["cp", "-a", "--reflink=auto", "-t", str(folder), *parts])  # fmt: skip
        return
    archive = Archive(bench.cache, progress=bench.progress)
    unpack_whole_source(kernel.origin.version, archive, folder, progress=bench.progress)
    config = kernel.image.with_name(f"config-{kernel.release}")
    (folder / ".config").write_text(_mended(config.read_text()))
    headers = with_headers(kernel, progress=bench.progress, cache=bench.cache).headers
    assert headers is not None
    shutil.copyfile(headers / "Module.symvers", folder / "Module.symvers")
    with bench.progress.step("configure"):
        _run(bench, kernel, folder, "configure the kernel", ["make", "olddefconfig"])


def shipped_vmlinux(kernel: Kernel, bench: Workbench) -> Path:
    """Return the kernel's vmlinux, with its symbols and debug information.

    Raises:
        InputError: the tree has none, or the archive has no debug package of that kernel.
        HostError: it cannot be fetched.
    """
    root = own_tree(kernel)
    if root is not None:
        if not (root / "vmlinux").is_file():
            raise InputError(f"{root} has no vmlinux", hint=f"build it: make -C {root} vmlinux")
        return root / "vmlinux"
    return fetch_debug_vmlinux(kernel, Archive(bench.cache, progress=bench.progress))


def _mended(config: str) -> str:
    """Return a stock configuration that can be built in full outside of Debian's build."""
    for option, value in _MENDED.items():
        config = re.sub(rf"^{option}=.*$", f"{option}={value}", config, flags=re.MULTILINE)
    return config


def _run(bench: Workbench, kernel: Kernel, folder: Path, what: str, argv: list[str]) -> None:
    done = bench.run(argv, folder=folder, kernel=kernel, what=what)
    if done.status != 0:
        said = done.said.strip().splitlines() or [f"exit status {done.status}"]
        if "No space left on device" in done.said:
            raise HostError(f"no space left to {what}", hint="free some space")
        raise HostError(f"cannot {what}: {said[-1]}")
