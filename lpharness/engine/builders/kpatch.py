"""kpatch-build (https://github.com/dynup/kpatch) behind the builders' contract."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lpharness.base.errors import HostError, InputError
from lpharness.engine.builders.contract import Order
from lpharness.engine.builders.outside import (
    OutsideBuilder,
    Tool,
    Workbench,
    find_program,
    require_programs,
)
from lpharness.engine.builders.worktree import lay_out_kernel, shipped_vmlinux
from lpharness.kernels.model import Kernel

VARIABLE = "LPHARNESS_KPATCH_BUILD"
# What its script refuses itself, though only after it has copied and unpacked everything.
_CANNOT = (
    "CONFIG_X86_KERNEL_IBT",
    "CONFIG_DEBUG_INFO_SPLIT",
    "CONFIG_GCC_PLUGIN_LATENT_ENTROPY",
    "CONFIG_GCC_PLUGIN_RANDSTRUCT",
)
_NEEDS = ("CONFIG_LIVEPATCH", "CONFIG_DEBUG_INFO")


@dataclass(frozen=True)
class Kpatch(OutsideBuilder):
    """Builds the whole kernel twice and compares what was compiled anew."""

    program: Path | None = None
    """Where it is, if neither ``PATH`` nor ``LPHARNESS_KPATCH_BUILD`` tells."""
    targets: tuple[str, ...] = ()
    """What it is to make instead of ``vmlinux modules``."""
    name = "kpatch"

    def require_kernel(self, kernel: Kernel) -> None:
        """Refuse a kernel whose configuration kpatch-build does not know to handle."""
        for option in _CANNOT:
            if kernel.config.get(option) == "y":
                raise InputError(
                    f"kpatch-build cannot do {kernel.release}: it is built with {option}",
                    hint="--builder engine can",
                    kind="builder-cannot",
                )
        for option in _NEEDS:
            if kernel.config.get(option) != "y":
                raise InputError(
                    f"kpatch-build cannot do {kernel.release}: it is built without {option}",
                    hint="--builder engine needs no debug information"
                    if option == "CONFIG_DEBUG_INFO"
                    else "take another kernel",
                    kind="builder-cannot",
                )

    def find(self, kernel: Kernel) -> Tool:  # noqa: ARG002
        """Return kpatch-build, found and asked for its version."""
        program = find_program(
            "kpatch-build", self.program, VARIABLE,
            "build it from https://github.com/dynup/kpatch",
        )  # fmt: skip
        try:
            done = subprocess.run(
                [str(program), "--version"], capture_output=True, text=True, timeout=30,
                stdin=subprocess.DEVNULL, check=False, errors="replace",
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HostError(f"{program} cannot be run: {error}") from error
        told = re.search(r"^Version\s*:\s*(\S+)", done.stdout, re.MULTILINE)
        if told is None and "gawk" not in done.stderr:  # without it the script does nothing
            raise InputError(f"{program} is not kpatch-build: it does not tell its version")
        require_programs("kpatch-build", gawk="gawk", patch="patch", flex="flex", bison="bison",
                         bc="bc", openssl="openssl")  # fmt: skip
        assert told is not None
        return Tool(program=program, version=f"kpatch-build {told[1]}")

    def make(self, order: Order, tool: Tool, diff: Path, folder: Path, bench: Workbench) -> Path:
        """Run kpatch-build on a copy of the kernel's tree."""
        tree = folder / "tree"
        lay_out_kernel(order.kernel, tree, bench)
        vmlinux = shipped_vmlinux(order.kernel, bench)
        out = folder / "out"
        out.mkdir()
        command = [
            str(tool.program), "--sourcedir", str(tree), "--vmlinux", str(vmlinux),
            "--jobs", str(os.cpu_count() or 1), "--name", order.name, "--output", str(out),
            *(part for target in self.targets for part in ("--target", target)),
            *(() if order.replace else ("--non-replace",)),
            str(diff),
        ]  # fmt: skip
        done = bench.run(command, folder=folder, kernel=order.kernel, what="run kpatch-build")
        made = out / f"{order.name}.ko"
        if done.status != 0 or not made.is_file():
            log = folder / ".kpatch" / "build.log"
            raise self.failure(done, log.read_text(errors="replace") if log.is_file() else "")
        bench.warnings += [
            line for line in done.output.decode(errors="replace").splitlines()
            if line.startswith("WARNING")
        ]  # fmt: skip
        return made
