"""Carrying out one entry of a run: a trial, or writing down why there is none."""

from __future__ import annotations

from msgspec import Struct

from lpharness import __version__
from lpharness.executor.contract import Needs, Site
from lpharness.guests import backend as find_backend
from lpharness.guests.contract import Backend
from lpharness.guests.qemu_command import memory_mb
from lpharness.results.folder import RunFolder, TrialFolder
from lpharness.results.model import CheckResult, Provenance, Trial, TrialId
from lpharness.run.prepare import Entry, Refused
from lpharness.timeline.events import Phase
from lpharness.trial.keeper import OnPhase
from lpharness.trial.plan import Plan
from lpharness.trial.runner import run_trial

_EMULATED_SHARE = 0.5
"""Of a CPU of the host, what each CPU of an emulated guest keeps busy over a trial."""
_BESIDE_MB = 300
"""What QEMU and the harness take besides the guest's memory."""


class Carry(Struct, frozen=True, kw_only=True):
    """The call of an executor that carries out one entry."""

    entry: Entry
    uri: str | None = None

    @property
    def id(self) -> TrialId:
        """The trial's name."""
        return self.entry.id

    def __call__(self, site: Site) -> Trial:
        """Carry it out; its phases are the news."""
        backend = find_backend(self.entry.id.backend, uri=self.uri)
        folder = TrialFolder(site.folder)
        return _carried_out(self.entry, backend, folder, lambda _, phase: site.tell(phase))

    @property
    def needs(self) -> Needs:
        """What it takes of a machine."""
        if isinstance(self.entry, Refused):
            return Needs(cpus=0)
        spec = self.entry.spec
        return room_for(spec.cpus, memory_mb(spec), spec.accelerator)


def room_for(cpus: int, memory_mb: int, accelerator: str) -> Needs:
    """Return what a trial with such a guest takes of a machine."""
    share = 1.0 if accelerator == "kvm" else _EMULATED_SHARE
    kvm = accelerator == "kvm"
    return Needs(
        cpus=max(1.0, cpus * share),
        memory_mb=memory_mb + _BESIDE_MB,
        kvm=kvm,
        arch="x86_64" if kvm else "",  # any machine can emulate one
    )


def carry_out(
    entry: Entry, backend: Backend, folder: RunFolder, on_phase: OnPhase = lambda *_: None
) -> Trial:
    """Run one plan, or write down why it is not run; either way its document is written."""
    return _carried_out(entry, backend, folder.trial(entry.id), on_phase)


def _carried_out(entry: Entry, backend: Backend, folder: TrialFolder, on_phase: OnPhase) -> Trial:
    if isinstance(entry, Plan):
        return run_trial(entry, backend, folder, on_phase)
    return write_refusal(entry, folder)


def origin_of(entry: Entry) -> Provenance:
    """Return what is known of a trial that got no guest: history goes by the kernel asked for."""
    asked = entry.kernel if isinstance(entry, Refused) else entry.spec.kernel.origin.spec
    return Provenance(lpharness=__version__, kernel_release=entry.id.kernel, kernel_origin=asked)


def write_refusal(refused: Refused, folder: TrialFolder) -> Trial:
    """Write the document of a trial whose answer needs no guest."""
    trial = folder.begin(refused.id, Phase.BUILD, origin_of(refused), refused.build)
    if refused.evidence:
        trial.checks = (
            CheckResult(
                check="inspection",
                verdict=refused.verdict,
                summary=refused.evidence[0].seen,
                evidence=refused.evidence,
            ),
        )
    trial.verdict, trial.reason = refused.verdict, refused.reason
    trial.finished = True
    folder.write(trial)
    return trial
