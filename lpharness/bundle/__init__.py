"""A livepatch with its proof, signed: what leaves the harness for production."""

from lpharness.bundle.create import create
from lpharness.bundle.model import Proof, ProvenKernel, ProvenModule, ProvenTrial, Statement
from lpharness.bundle.signing import AllowedSigners, GpgKey, Keyring, Signer, SshKey, Trust
from lpharness.bundle.verify import Verified, verified

__all__ = [
    "AllowedSigners",
    "GpgKey",
    "Keyring",
    "Proof",
    "ProvenKernel",
    "ProvenModule",
    "ProvenTrial",
    "Signer",
    "SshKey",
    "Statement",
    "Trust",
    "Verified",
    "create",
    "verified",
]
