"""An Ansible role with proven bundles in it, an example playbook and an example inventory.

What is the same for every bundle lies ready in ``rollout/ansible``; only the bundles and the table
of kernels (``vars/main.yml``) are added.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from msgspec import Struct

from lpharness.base.errors import HostError, InputError
from lpharness.bundle import Trust, Verified, verified

ROLE = "roles/lpharness_livepatch"
_READY = Path(__file__).parent / "ansible"
_TEMPLATE = Path(__file__).parent / "vars.yml.j2"


class RoleKernel(Struct, frozen=True, kw_only=True):
    """A line of the role's table of kernels."""

    release: str
    build: str
    sha256: str
    """Of the module."""
    file: str
    """The module's, below the role's ``files/bundles``."""
    replaces: bool


def export_ansible(bundles: Sequence[Path], trust: Trust, output: Path) -> list[RoleKernel]:
    """Write a folder with a role that rolls bundles out; return the kernels that it is for.

    Args:
        bundles: of one livepatch, for different kernels.
        trust: whose signatures are believed.
        output: a folder that is not there yet.

    Raises:
        InputError: a bundle is not what a trusted signer made, they do not go together, or the
            output exists.
        HostError: it cannot be written.
    """
    if output.exists() or output.is_symlink():
        raise InputError(f"{output} exists already", hint="name a new folder")
    with ExitStack() as stack:
        found: dict[str, Verified] = {}
        for path in bundles:
            bundle = stack.enter_context(verified(path, trust))
            found[_free_name(bundle.proof.case, found)] = bundle
        livepatch = _one_livepatch(found)
        kernels = _kernels(found)
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            aside = tempfile.TemporaryDirectory(prefix=".export-", dir=output.parent)
            folder = Path(stack.enter_context(aside)) / "export"
            _write(folder, livepatch, found, kernels)
            folder.rename(output)
        except OSError as error:
            raise HostError(f"cannot write {output}: {error.strerror or error}") from error
    return kernels


def _free_name(case: str, taken: Mapping[str, Verified]) -> str:
    """Return the name of a bundle's folder in the role."""
    names = [case, *(f"{case}-{number}" for number in range(2, len(taken) + 2))]
    return next(name for name in names if name not in taken)


def _one_livepatch(found: Mapping[str, Verified]) -> str:
    kernels = [kernel for bundle in found.values() for kernel in bundle.proof.kernels]
    names = sorted({kernel.module.name for kernel in kernels})
    if len(names) > 1:
        raise InputError(
            f"these are bundles of different livepatches ({', '.join(names)}), which were not "
            "proven together",
            hint="export each by itself, or prove one livepatch that does it all",
        )
    return names[0]


def _kernels(found: Mapping[str, Verified]) -> list[RoleKernel]:
    table: dict[tuple[str, str], RoleKernel] = {}
    for name, bundle in found.items():
        for kernel in bundle.proof.kernels:
            key = (kernel.release, kernel.build)
            if key in table:
                raise InputError(
                    f"two bundles are for {kernel.release} {kernel.build}",
                    hint="leave one of them out",
                )
            table[key] = RoleKernel(
                release=kernel.release,
                build=kernel.build,
                sha256=kernel.module.sha256,
                file=f"{name}/{kernel.module.path}",
                replaces=bool(kernel.module.replaces),
            )
    return [table[key] for key in sorted(table)]


def _write(
    folder: Path, livepatch: str, found: Mapping[str, Verified], kernels: Sequence[RoleKernel]
) -> None:
    shutil.copytree(_READY, folder)
    for name, bundle in found.items():
        shutil.copytree(bundle.folder, folder / ROLE / "files" / "bundles" / name)
    environment = Environment(  # noqa: S701 — YAML, where tojson quotes what is put in
        undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    template = environment.from_string(_TEMPLATE.read_text())
    text = template.render(name=livepatch, bundles=list(found), kernels=kernels)
    (folder / ROLE / "vars").mkdir()
    (folder / ROLE / "vars" / "main.yml").write_text(text)
