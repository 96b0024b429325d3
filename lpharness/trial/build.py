"""Building a case's modules, as a phase with a verdict of its own."""

from __future__ import annotations

import time

from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.base.progress import Progress
from lpharness.cases.model import Case
from lpharness.engine.build import Module, build_module
from lpharness.kernels.model import Kernel
from lpharness.results.model import Build, Evidence, Verdict

_CASE_AT_FAULT = frozenset({"builder-cannot", "does-not-compile", "not-as-asserted"})
"""For the case's author to mend; says nothing about the patch."""
_NOBODY_CAN_SAY = frozenset({"", "compiler"})
"""Says nothing about the patch: something on the host, or a file that is not what it should be."""
_NOT_THERE = "architecture"
"""Something is not there yet on the kernel's architecture: nothing was tried."""
INSPECTION = "inspection"
"""The kind of a module that was built, and is refused by what was read in it."""


class CaseBuild(Struct, frozen=True, kw_only=True):
    """What came of building a case for one kernel."""

    build: Build
    modules: tuple[Module, ...] = ()
    error: InputError | None = None
    """What kept it from being built."""
    evidence: tuple[Evidence, ...] = ()
    """What is wrong with the modules that were built."""

    @property
    def to_be_run(self) -> bool:
        """Whether there is something that can be tried."""
        return self.build.verdict is Verdict.PASS

    @property
    def bad_input(self) -> bool:
        """Whether it is for the user to mend before it is worth a report."""
        kinds = _CASE_AT_FAULT | _NOBODY_CAN_SAY | {_NOT_THERE}
        return self.error is not None and self.error.kind in kinds


def build_case(case: Case, kernel: Kernel, progress: Progress) -> CaseBuild:
    """Build a case's modules for a kernel; a refusal becomes a verdict.

    Raises:
        HostError: the archive, compiler or disk did not do its part.
    """
    began = time.monotonic()
    try:
        modules = tuple(build_module(case, m, kernel, progress=progress) for m in case.modules)
    except InputError as error:
        build = _refused(case, error.kind, error.message, error.hint, time.monotonic() - began)
        return CaseBuild(build=build, error=error)
    seconds = time.monotonic() - began
    if evidence := _problems(modules):
        build = _refused(case, INSPECTION, evidence[0].seen, None, seconds)
        return CaseBuild(build=build, modules=modules, evidence=evidence)
    built = Build(
        verdict=Verdict.PASS, seconds=seconds, cached=all(module.cached for module in modules)
    )
    if case.expect.refused:
        reason = f"built, though it must be refused: {case.expect.refused}"
        built = Build(verdict=Verdict.XPASS, seconds=seconds, reason=reason)
    return CaseBuild(build=built, modules=modules)


def _refused(case: Case, kind: str, message: str, hint: str | None, seconds: float) -> Build:
    reason, _, detail = message.partition("\n")
    return Build(
        verdict=_verdict(kind, case.expect.refused),
        kind=kind,
        reason=reason,
        detail=detail,
        hint=hint or "",
        seconds=seconds,
    )


def _verdict(kind: str, expected: str) -> Verdict:
    if expected and kind == expected:
        return Verdict.XFAIL
    if kind == _NOT_THERE:
        return Verdict.SKIP
    return Verdict.ERROR if kind in _NOBODY_CAN_SAY else Verdict.FAIL


def _problems(modules: tuple[Module, ...]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(what=f"inspection of {module.name}.ko", seen=str(problem), good=False)
        for module in modules
        for problem in module.inspection.problems
    )
