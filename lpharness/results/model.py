"""Verdicts, evidence and the document of one trial (``trial.json``).

The document's schema is versioned by `SCHEMA`; ``docs/results.md`` describes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct, field

SCHEMA = 1


class Verdict(StrEnum):
    """The answer of a check, a trial or a run."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    """The patch or the kernel did wrong."""
    ERROR = "error"
    """The harness or the host could not say."""
    SKIP = "skip"
    XFAIL = "xfail"
    """Failed as the case declares it must."""
    XPASS = "xpass"
    """Passed although the case declares that it must fail."""


WORST_FIRST = (
    Verdict.FAIL,
    Verdict.XPASS,
    Verdict.ERROR,
    Verdict.XFAIL,
    Verdict.SKIP,
    Verdict.PASS,
)
"""The order in which people are told of verdicts: first what somebody must look at."""
_SPEAKS_FIRST = (
    Verdict.FAIL,
    Verdict.XPASS,
    Verdict.ERROR,
    Verdict.XFAIL,
    Verdict.PASS,
    Verdict.SKIP,
)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that speaks for all of them; ``error`` when there are none.

    A proven fault outranks a harness error: what was seen stays true whatever broke later.
    """
    present = set(verdicts)
    return next((verdict for verdict in _SPEAKS_FIRST if verdict in present), Verdict.ERROR)


class Margin(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How near something measured came to the bound that its check holds it to."""

    name: str
    """What is bounded, in the same words in every trial: ``transition``."""
    measured: float
    bound: float
    unit: str = "s"
    least: bool = False
    """Whether the bound is the least that is fine, not the most."""

    @property
    def used(self) -> float:
        """The share of the bound that was used up: 1 where it was just met, more where missed."""
        part, whole = (self.bound, self.measured) if self.least else (self.measured, self.bound)
        if part <= 0:
            return 0.0
        return part / whole if whole > 0 else math.inf

    @property
    def words(self) -> str:
        """What was measured and the bound: ``0.83 s of 4 s``, ``0.9 where at least 0.1``."""
        between = "where at least" if self.least else "of"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.measured:.3g}{unit} {between} {self.bound:.3g}{unit}"


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was looked at."""

    what: str
    """What was asked, for example ``enabled_functions of cmdline_proc_show``."""
    seen: str
    """What was found, in the guest's or the harness's own words."""
    wanted: str = ""
    """What it should have been; empty where ``seen`` speaks for itself."""
    good: bool | None = None
    """Whether it supports a pass; ``None`` for context."""
    margin: Margin | None = None
    """Where it was held to a bound, what was measured and what the bound is."""
    event: int | None = None
    """Index in the timeline."""
    console_line: int | None = None
    control: bool = False
    """Whether event and line are those of the control guest, which never had the patch."""
    host_ns: int | None = None
    guest_ns: int | None = None


class CheckResult(Struct, frozen=True, kw_only=True):
    """A check's verdict with what it rests on."""

    check: str
    verdict: Verdict
    summary: str
    """One line for a person."""
    evidence: tuple[Evidence, ...] = ()


class Build(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of building a trial's modules: a phase with a verdict and a time of its own."""

    verdict: Verdict
    """``pass`` when they were built, ``fail`` when the engine refused the patch, ``error`` when
    something else kept it from being built; ``xfail`` and ``xpass`` where a refusal is expected."""
    kind: str = ""
    """The refusal's stable word; empty when they were built."""
    reason: str = ""
    """Why it was refused, one line."""
    detail: str = ""
    """More lines of that, for example the compiler's."""
    hint: str = ""
    seconds: float = 0.0
    """Host seconds; next to nothing where the same had been built before."""
    cached: bool = False
    """Whether everything had been built before."""

    @property
    def summary(self) -> str:
        """One line for a person."""
        if not self.kind and not self.reason:
            return "built before" if self.cached else "built"
        return f"{self.kind}: {self.reason}" if self.kind else self.reason


class Provenance(Struct, kw_only=True, omit_defaults=True):
    """What exactly was tested, and with what."""

    lpharness: str = ""
    kernel_release: str = ""
    kernel_origin: str = ""
    kernel_package: str = ""
    kernel_version: str = ""
    kernel_sha256: str = ""
    kernel_build: str = ""
    """``uname -v`` as the guest said it: tells two builds of one release apart."""
    image: str = ""
    image_identity: str = ""
    modules: dict[str, str] = field(default_factory=dict)
    """Module name to SHA-256 of the ``.ko``."""
    module_sources: dict[str, str] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)
    """Name to SHA-256 of what the case had compiled for the guest: programs and kernel modules."""
    compiler: str = ""
    backend: str = ""
    backend_version: str = ""
    command_line: str = ""
    """QEMU's command line, ready to be pasted into a shell, or the domain's XML for libvirt."""
    accelerator: str = ""
    accelerator_why: str = ""
    started_by: str = ""
    """``boot`` or ``restore``."""
    cpus: int = 0
    memory_mb: int = 0
    seed: int = 0
    host: str = ""


class TrialId(Struct, frozen=True, kw_only=True):
    """What was tried: enough to run it again."""

    case: str
    kernel: str
    """The exact release."""
    workload: str
    variant: str = ""
    model: str = "hybrid"
    backend: str = "qemu"
    repeat: int = 0
    attempt: int = 0
    """More than 0 where the same was tried before, and nobody could say what came of it."""

    @property
    def slug(self) -> str:
        """A folder name, unique within a run."""
        case = f"{self.case}.{self.variant}" if self.variant else self.case
        parts = [case, self.kernel, self.workload]
        if self.model != "hybrid":
            parts.append(self.model)
        if self.backend != "qemu":
            parts.append(self.backend)
        if self.repeat:
            parts.append(f"r{self.repeat}")
        if self.attempt:
            parts.append(f"again{self.attempt}")
        return "--".join(part.replace("/", "_") for part in parts)


class Trial(Struct, kw_only=True):
    """The document of one trial: its build and its run, each with a time of its own."""

    id: TrialId
    verdict: Verdict
    reason: str
    """One line: the worst check's summary, or why there is no answer."""
    checks: tuple[CheckResult, ...] = ()
    build: Build | None = None
    """``None`` for a trial that is not meant to be."""
    provenance: Provenance = field(default_factory=Provenance)
    phases: dict[str, float] = field(default_factory=dict)
    """Host seconds spent in each phase."""
    seconds: float = 0.0
    started_at: str = ""
    """Host's UTC wall clock, ISO 8601."""
    finished: bool = False
    """False while the trial runs, and for ever if the harness was killed."""
    timeline: str = "timeline.jsonl"
    console: str = "console.log"
    schema: int = SCHEMA

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What the trial's own is drawn from: the build's verdict and the checks'."""
        build = () if self.build is None else (self.build.verdict,)
        return (*build, *(check.verdict for check in self.checks))
