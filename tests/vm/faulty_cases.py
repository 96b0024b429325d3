"""Cases whose patched function does wrong, written where a test wants them, and tried."""

from __future__ import annotations

from pathlib import Path

from lpharness.cases import load
from lpharness.results.folder import RunFolder, TrialFolder
from lpharness.results.model import Trial
from lpharness.run import Request, execute, plan_run

CASE = """
title = "a patched function that does wrong"
workloads = ["idle"]

[[module]]
name = "lph_faulty"
source = "lph_faulty.c"

[[module.function]]
old = "cmdline_proc_show"
new = "lph_show"

[[probe]]
name = "command-line"
run = "cat /proc/cmdline; true"
timeout_s = 2

[probe.state.original]
stdout.lacks = "patched"

[probe.state.patched]
stdout.contains = "patched"
"""

SOURCE = """// SPDX-License-Identifier: GPL-2.0-only
#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
%s
	seq_puts(m, "patched\\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
"""
LINE = SOURCE.partition("%s")[0].count("\n") + 1
"""Where the body begins in ``lph_faulty.c``."""


class Nobody:
    """Is told how a run goes."""

    def planned(self, trials: object) -> None: ...

    def phase(self, trial: object, phase: object) -> None: ...

    def finished(self, trial: object) -> None: ...


def try_faulty(body: str, kernel: str, folder: Path, *, keep: bool = False) -> tuple[Trial, Path]:
    """Try a patch whose function has this body first; return the trial and its folder."""
    case = folder / "faulty"
    case.mkdir()
    (case / "case.toml").write_text(CASE)
    (case / "lph_faulty.c").write_text(SOURCE % body)
    return try_case(str(case), kernel, folder / "results", keep=keep)


def try_case(case: str, kernel: str, output: Path, *, keep: bool = False) -> tuple[Trial, Path]:
    """Try a case; return the trial and its folder."""
    request = Request(cases=(load(case),), kernels=(kernel,), keep_memory=keep)
    with RunFolder.create(output) as run:
        (trial,) = execute(plan_run(request), request, run, Nobody())
        return trial, run.trial(trial.id).path


def console_of(folder: Path) -> str:
    """Return what the kernel said in a trial."""
    return "\n".join(TrialFolder(folder).console())
