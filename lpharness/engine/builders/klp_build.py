"""The kernel's own klp-build (``scripts/livepatch/klp-build``) behind the builders' contract."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from lpharness.base.errors import InputError
from lpharness.engine.builders.contract import Order
from lpharness.engine.builders.outside import (
    OutsideBuilder,
    Tool,
    Workbench,
    find_program,
    require_programs,
)
from lpharness.engine.builders.worktree import lay_out_kernel, own_tree
from lpharness.kernels.model import Kernel

VARIABLE = "LPHARNESS_KLP_BUILD"
SCRIPT = "scripts/livepatch/klp-build"
_SINCE = (6, 19)


@dataclass(frozen=True)
class KlpBuild(OutsideBuilder):
    """Builds the whole kernel twice and lets objtool compare; part of kernels since 6.19."""

    program: Path | None = None
    """A script to use instead of the tree's own."""
    name = "klp-build"

    def require_kernel(self, kernel: Kernel) -> None:
        """Refuse what is older than klp-build, or whose source it cannot work in."""
        found = re.match(r"(\d+)\.(\d+)", kernel.release)
        if found is None or (int(found[1]), int(found[2])) < _SINCE:
            raise InputError(
                f"klp-build cannot do {kernel.release}: it needs {_SINCE[0]}.{_SINCE[1]} or newer",
                hint="--builder engine or kpatch can",
                kind="builder-cannot",
            )
        if own_tree(kernel) is None:
            raise InputError(
                f"klp-build works in the tree that a kernel was built in; "
                f"{kernel.origin.spec} names none",
                hint="name the kernel as tree:PATH",
                kind="builder-cannot",
            )
        if kernel.config.get("CONFIG_KLP_BUILD") != "y":
            raise InputError(
                f"klp-build cannot do {kernel.release}: it is built without CONFIG_KLP_BUILD",
                hint="it comes with CONFIG_LIVEPATCH on architectures that have it",
                kind="builder-cannot",
            )

    def find(self, kernel: Kernel) -> Tool:
        """Return the tree's script, or the one that was named."""
        root = own_tree(kernel)
        assert root is not None  # `require_kernel` has asked
        if self.program is None and not os.environ.get(VARIABLE):
            program = root / SCRIPT
            if not program.is_file():
                raise InputError(f"{root} has no {SCRIPT}", hint="name one with --builder-path")
        else:
            program = find_program("klp-build", self.program, VARIABLE, "the kernel has it")
        require_programs("klp-build", gawk="gawk", patch="patch", recountdiff="patchutils",
                         flex="flex", bison="bison", bc="bc")  # fmt: skip
        return Tool(program=program, version=f"klp-build of {kernel.release}")

    def make(self, order: Order, tool: Tool, diff: Path, folder: Path, bench: Workbench) -> Path:
        """Run klp-build in a copy of the kernel's tree."""
        tree = folder / "tree"
        lay_out_kernel(order.kernel, tree, bench)
        script = tree / SCRIPT
        if tool.program != own_tree(order.kernel) / SCRIPT:  # type: ignore[operator]
            shutil.copy2(tool.program, script)
        command = [
            str(script), "--jobs", str(os.cpu_count() or 1), "--output", f"{order.name}.ko",
            *(() if order.replace else ("--no-replace",)),
            str(diff),
        ]  # fmt: skip
        done = bench.run(command, folder=tree, kernel=order.kernel, what="run klp-build")
        made = tree / f"{order.name}.ko"
        if done.status != 0 or not made.is_file():
            raise self.failure(done)
        bench.warnings += [line for line in done.said.splitlines() if line.startswith("warning")]
        return made
