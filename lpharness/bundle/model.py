"""What a bundle says: an in-toto statement whose subjects are the livepatch modules.

``docs/bundle.md`` describes it; ``docs/proof.schema.json`` is the JSON schema of the predicate.
"""

from __future__ import annotations

from msgspec import Struct, field

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:lpharness:livepatch-proof:1"
"""The predicate's type; a field that changes its meaning makes it another."""


class Subject(Struct, frozen=True, kw_only=True):
    """A file that the statement is about: in-toto's ``ResourceDescriptor``."""

    name: str
    """Its path in the bundle."""
    digest: dict[str, str]


class ProvenModule(Struct, frozen=True, kw_only=True):
    """The livepatch for one kernel."""

    name: str
    """As the kernel knows it."""
    path: str
    """In the bundle."""
    sha256: str
    source_sha256: str
    """Of everything that was given to the build."""
    compiler: str
    vermagic: str
    replaces: bool | None
    """Whether it replaces all livepatches that are on; ``None`` where only its code knows."""
    functions: tuple[str, ...]
    """What it replaces, ``OBJECT:FUNCTION``."""


class ProvenTrial(Struct, frozen=True, kw_only=True):
    """A trial that passed."""

    path: str
    """Its folder in the bundle: document, case, timeline and console, as they were recorded."""
    workload: str
    variant: str
    backend: str
    accelerator: str
    image: str
    started_at: str
    verdict: str
    checks: dict[str, str]
    """Each check and its verdict: ``pass``, or ``skip`` for what the trial cannot ask."""


class ProvenKernel(Struct, frozen=True, kw_only=True):
    """A kernel that the livepatch is proven on, and nothing else is."""

    release: str
    """``uname -r``."""
    build: str
    """``uname -v``."""
    machine: str
    """``uname -m``."""
    origin: str
    """What the kernel was named by, for example ``debian:6.1-cloud``."""
    package: str
    version: str
    """The package's."""
    sha256: str
    """Of the package, or of the image where there is none."""
    module: ProvenModule
    trials: tuple[ProvenTrial, ...]


class Proof(Struct, frozen=True, kw_only=True):
    """The predicate: on which kernels a case's livepatch was proven, and how."""

    case: str
    title: str
    references: dict[str, str]
    """CVE, commit, changelog line, as the case has them."""
    lpharness: str
    """The version that made the bundle, and judged the trials once more."""
    kernels: tuple[ProvenKernel, ...]


class Statement(Struct, frozen=True, kw_only=True):
    """An in-toto statement, https://in-toto.io/Statement/v1."""

    type: str = field(name="_type", default=STATEMENT)
    subject: tuple[Subject, ...]
    predicate_type: str = field(name="predicateType", default=PREDICATE)
    predicate: Proof
