"""What the store keeps of one trial, read out of its folder."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any

import msgspec
import zstandard
from msgspec import Struct
from msgspec.structs import replace

from lpharness.base.errors import InputError
from lpharness.cases.model import Case
from lpharness.checks.replay import kept_case
from lpharness.results.figures import figures
from lpharness.results.folder import TrialFolder
from lpharness.results.model import Provenance, Trial, TrialId
from lpharness.results.text import one_line
from lpharness.store.columns import storable
from lpharness.store.measures import Measure, measures

_CVE = re.compile(r"CVE-\d{4}-\d{4,}")


class Entry(Struct, frozen=True, kw_only=True):
    """A trial as it is put into the store."""

    trial: Trial
    started_at: datetime
    measures: tuple[Measure, ...] = ()
    title: str = ""
    cves: tuple[str, ...] = ()
    folder: str = ""
    digest: str = ""
    document: bytes = b""
    """Compressed; see `packed`."""


def read_entry(folder: TrialFolder) -> Entry:
    """Read a trial's folder.

    Raises:
        InputError: its document, timeline or case is missing or broken; names the file.
    """
    trial = folder.load()
    if trial.finished and trial.checks and trial.phases and not folder.timeline_path.is_file():
        raise InputError(f"cannot read {folder.timeline_path}: the trial was judged by it")
    case = kept_case(folder.path)
    return make_entry(
        trial,
        tuple(measures(trial, figures(folder.events()))),
        case=case,
        folder=str(folder.path.absolute()),
        name=str(folder.document_path),
    )


def make_entry(
    trial: Trial,
    measured: tuple[Measure, ...] = (),
    *,
    case: Case | None = None,
    folder: str = "",
    name: str = "the trial's document",
) -> Entry:
    """Return what the store keeps of a trial that is at hand.

    Raises:
        InputError: it does not say when it was started.
    """
    document = msgspec.json.encode(trial)
    return Entry(
        trial=trial,
        started_at=_moment(trial.started_at, name),
        measures=measured,
        title=case.title if case else "",
        cves=cves_of_case(case) if case else (),
        folder=folder,
        digest=hashlib.sha256(document).hexdigest(),
        document=packed(document),
    )


def cves_of_case(case: Case) -> tuple[str, ...]:
    """Return the flaws that a case says it heals, by their CVEs, in its order."""
    return tuple(dict.fromkeys(_CVE.findall(" ".join(case.references.values()))))


def packed(document: bytes) -> bytes:
    """Compress a document."""
    return zstandard.ZstdCompressor(level=6).compress(document)


def unpacked(content: bytes) -> Trial:
    """Return the document that `packed` made small."""
    return msgspec.json.decode(zstandard.ZstdDecompressor().decompress(content), type=Trial)


def subject(provenance: Provenance) -> str:
    """Return a checksum of what was tested; two trials that share it should come out alike.

    Empty where it is not known: nothing was booted.
    """
    if not provenance.kernel_sha256 or not provenance.modules:
        return ""
    tested = (
        provenance.kernel_sha256,
        provenance.kernel_build,
        sorted(provenance.modules.items()),
        sorted(provenance.programs.items()),
        provenance.image_identity,
    )
    return hashlib.sha256(msgspec.json.encode(tested)).hexdigest()[:16]


def name_of(id_: TrialId) -> str:
    """Return the trial's name in its run, as it is kept: the same for all its attempts."""
    return storable(replace(id_, attempt=0).slug)


def row(entry: Entry) -> dict[str, Any]:
    """Return the columns of `TrialRow` that the entry itself tells."""
    trial, id_, made = entry.trial, entry.trial.id, entry.trial.provenance
    return {
        "slug": name_of(id_),
        "again": id_.attempt,
        **{name: getattr(id_, name) for name in _OF_ID},
        "target": made.kernel_origin or id_.kernel,
        "verdict": trial.verdict.value,
        "reason": one_line(trial.reason),
        "finished": trial.finished,
        "started_at": entry.started_at,
        "seconds": trial.seconds,
        "build_verdict": trial.build.verdict.value if trial.build else "",
        "build_seconds": trial.build.seconds if trial.build else 0.0,
        "title": entry.title,
        "subject": subject(made),
        **{name: getattr(made, name) for name in _OF_PROVENANCE},
        "folder": entry.folder,
        "digest": entry.digest,
    }


_OF_ID = ("case", "variant", "kernel", "workload", "model", "backend", "repeat")
_OF_PROVENANCE = (
    "host", "lpharness", "kernel_package", "kernel_version", "kernel_sha256", "kernel_build",
    "image", "image_identity", "compiler", "backend_version", "accelerator", "started_by", "cpus",
    "memory_mb", "seed",
)  # fmt: skip


def _moment(text: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError(f"{name}: started_at is no moment with a time zone: {text!r}")
    return moment
