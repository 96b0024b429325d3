"""What a role is made of, and what goes into none."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from bundle_support import BUILD, Scene, allow
from checks_samples import MODULE

from lpharness.base.errors import InputError
from lpharness.base.hashing import sha256_file
from lpharness.bundle import AllowedSigners, SshKey, create
from lpharness.bundle.choose import choose
from lpharness.rollout import export_ansible
from lpharness.rollout.ansible_role import ROLE


class Exporting(Scene):
    """A scene whose bundles are exported."""

    def bundle(self, name: str, **provenance: object) -> Path:
        run = self.trial(f"run-{name}", provenance=self.provenance(**provenance))
        create(choose([str(run)]), self.folder / name, SshKey(self.key), modules=[self.module])
        return self.folder / name

    def export(self, *bundles: Path, signers: Path | None = None) -> Path:
        export_ansible(bundles, AllowedSigners(signers or self.signers), self.folder / "role")
        return self.folder / "role" / ROLE


@pytest.fixture
def scene(tmp_path: Path) -> Exporting:
    return Exporting(tmp_path)


def test_the_roles_table_has_each_kernel_with_its_module(scene: Exporting) -> None:
    """And what a kernel calls itself is a string, whatever is in it."""
    odd = "#1 \"odd\": 'x' & <y> \\ %"
    role = scene.export(scene.bundle("one.tar"), scene.bundle("two", kernel_build=odd))
    told = yaml.safe_load((role / "vars" / "main.yml").read_text())
    assert told["lpharness_livepatch_name"] == MODULE
    assert told["lpharness_livepatch_bundles"] == ["sample", "sample-2"]
    kernels = told["lpharness_livepatch_kernels"]
    assert {kernel["build"] for kernel in kernels} == {BUILD, odd}
    for kernel in kernels:
        assert kernel["replaces"] is False
        module = role / "files" / "bundles" / kernel["file"]
        assert sha256_file(module) == kernel["sha256"]


def test_bundles_are_as_they_were_signed(scene: Exporting) -> None:
    role = scene.export(scene.bundle("one"))
    kept = role / "files" / "bundles" / "sample"
    for file in (p for p in (scene.folder / "one").rglob("*") if p.is_file()):
        assert (kept / file.relative_to(scene.folder / "one")).read_bytes() == file.read_bytes()


def test_nothing_is_exported_of_a_bundle_that_is_not_believed(scene: Exporting) -> None:
    bundle = scene.bundle("one")
    before = sorted(scene.folder.iterdir())
    with pytest.raises(InputError, match="signed by nobody"):
        scene.export(bundle, signers=allow(scene.stranger, scene.folder / "signers-2"))
    (scene.folder / "signers-2").unlink()
    assert sorted(scene.folder.iterdir()) == before


def test_two_bundles_for_one_kernel_are_refused(scene: Exporting) -> None:
    with pytest.raises(InputError, match=r"two bundles are for 6\.1\.0-56-cloud-amd64 #1"):
        scene.export(scene.bundle("one"), scene.bundle("two"))
    assert not (scene.folder / "role").exists()


def test_different_livepatches_are_refused(scene: Exporting) -> None:
    other = scene.bundle("two", modules={"lph_other": sha256_file(scene.module)})
    with pytest.raises(InputError, match=r"different livepatches \(lph_case, lph_other\)"):
        scene.export(scene.bundle("one"), other)


def test_what_is_there_is_not_written_over(scene: Exporting) -> None:
    (scene.folder / "role").mkdir()
    with pytest.raises(InputError, match="role exists already"):
        scene.export(scene.bundle("one"))
