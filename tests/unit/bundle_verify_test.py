"""What a verified bundle is, and that nothing else passes for one."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from bundle_support import SIGNER, Scene, allow

from lpharness.base.errors import InputError
from lpharness.bundle import AllowedSigners, Keyring, SshKey, create, verified
from lpharness.bundle.checksums import NAME, write
from lpharness.bundle.choose import choose


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    scene = Scene(tmp_path_factory.mktemp("bundle"))
    run = scene.trial()
    for name in ("sound", "sound.tar"):
        chosen = choose([str(run)])
        create(chosen, scene.folder / name, SshKey(scene.key), modules=[scene.module])
    return scene


@pytest.fixture
def bundle(scene: Scene, tmp_path: Path) -> Path:
    """A copy of a sound bundle, to be spoilt."""
    return shutil.copytree(scene.folder / "sound", tmp_path / "bundle")


def refused(bundle: Path, trust: AllowedSigners | Keyring, says: str) -> None:
    with pytest.raises(InputError, match=says) as raised, verified(bundle, trust):
        pytest.fail("it was believed")
    assert "\n" not in raised.value.message
    assert str(bundle) in raised.value.message


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("name", ["sound", "sound.tar"])
def test_a_sound_bundle_is_believed(scene: Scene, name: str) -> None:
    with verified(scene.folder / name, AllowedSigners(scene.signers)) as found:
        assert found.signer == SIGNER
        assert found.proof.case == "sample"
        assert files(found.folder) == files(scene.folder / "sound")
    assert not found.folder.exists()


def test_every_file_counts(scene: Scene, bundle: Path) -> None:
    """Changed, cut short or gone: each file of the bundle, one after another."""
    trust = AllowedSigners(scene.signers)
    for name in files(bundle):
        path, content = bundle / name, (bundle / name).read_bytes()
        for spoilt in (content[:-9], content[:5] + b"#" + content[6:], b""):
            path.write_bytes(spoilt)
            refused(bundle, trust, name if NAME not in name else NAME)
        path.unlink()
        refused(bundle, trust, "no bundle" if name == NAME else name)
        path.write_bytes(content)
    with verified(bundle, trust):
        pass


def test_a_file_that_nobody_signed_is_refused(scene: Scene, bundle: Path) -> None:
    (bundle / "modules" / "more.ko").touch()
    refused(bundle, AllowedSigners(scene.signers), "modules/more.ko is in the bundle, and was not")


def test_a_link_is_refused(scene: Scene, bundle: Path) -> None:
    (bundle / "trials" / "link").symlink_to("/etc/passwd")
    refused(bundle, AllowedSigners(scene.signers), "trials/link is no plain file")


def test_new_checksums_need_a_new_signature(scene: Scene, bundle: Path) -> None:
    (bundle / "statement.json").write_text("{}")
    write(bundle)
    refused(bundle, AllowedSigners(scene.signers), f"{NAME} is not what was signed")


def sign(bundle: Path, key: Path, namespace: str = "lpharness") -> None:
    (bundle / f"{NAME}.sig").unlink()
    words = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", namespace, NAME]
    subprocess.run(words, cwd=bundle, check=True)


def test_a_strangers_signature_is_refused(scene: Scene, bundle: Path) -> None:
    sign(bundle, scene.stranger)
    refused(bundle, AllowedSigners(scene.signers), "is signed by nobody in")


def test_a_signature_for_another_purpose_is_refused(scene: Scene, bundle: Path) -> None:
    sign(bundle, scene.key, namespace="git")
    refused(bundle, AllowedSigners(scene.signers), "is not what was signed")


def test_a_key_that_is_past_its_time_is_refused(scene: Scene, bundle: Path, tmp_path: Path) -> None:
    signers = allow(scene.key, tmp_path / "past", 'valid-before="20200101" ')
    refused(bundle, AllowedSigners(signers), "SHA256SUMS is")


def test_an_unsigned_bundle_is_refused(scene: Scene, bundle: Path, tmp_path: Path) -> None:
    refused(bundle, Keyring(scene.signers), r"signed otherwise: SHA256SUMS\.sig")
    (bundle / f"{NAME}.sig").unlink()
    refused(bundle, AllowedSigners(scene.signers), r"not signed: it has no SHA256SUMS\.sig")
    refused(bundle, Keyring(scene.signers), r"not signed: it has no SHA256SUMS\.asc")
    refused(tmp_path / "nosuch", AllowedSigners(scene.signers), "does not exist")


def test_who_is_believed_must_be_there(scene: Scene, tmp_path: Path) -> None:
    refused(scene.folder / "sound", AllowedSigners(tmp_path / "nosuch"), "cannot read .*nosuch")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda s: {**s, "predicateType": "https://slsa.dev/provenance/v1"}, "of another type"),
        (lambda s: {**s, "subject": []}, "is not the module that statement.json tells of"),
        (lambda s: {**s, "predicate": {**s["predicate"], "kernels": []}}, "proves nothing"),
        (lambda s: _kernel(s, build="#7 SMP"), "of another kernel or module"),
        (lambda s: _kernel(s, trials=[]), "names no trial"),
        (lambda _: [], "says nothing that can be read"),
    ],
)
def test_a_signed_statement_must_still_fit_the_bundle(
    scene: Scene, bundle: Path, spoil: Callable[[dict], object], says: str
) -> None:
    path = bundle / "statement.json"
    path.write_bytes(msgspec.json.encode(spoil(msgspec.json.decode(path.read_bytes()))))
    (bundle / f"{NAME}.sig").rename(bundle.parent / f"{NAME}.sig")
    write(bundle)
    (bundle.parent / f"{NAME}.sig").rename(bundle / f"{NAME}.sig")
    sign(bundle, scene.key)
    refused(bundle, AllowedSigners(scene.signers), says)


def _kernel(statement: dict, **changes: object) -> dict:
    predicate = statement["predicate"]
    kernels = [{**kernel, **changes} for kernel in predicate["kernels"]]
    return {**statement, "predicate": {**predicate, "kernels": kernels}}


def test_a_tar_that_is_cut_short_anywhere_is_refused(scene: Scene, tmp_path: Path) -> None:
    whole = (scene.folder / "sound.tar").read_bytes()
    trust = AllowedSigners(scene.signers)
    end = len(whole.rstrip(b"\0"))
    for length in range(0, end, end // 24):
        cut = tmp_path / "cut.tar"
        cut.write_bytes(whole[:length])
        refused(cut, trust, "cut short|no bundle|missing|not signed")


@pytest.mark.parametrize("name", ["../out", "/etc/out", "bundle/../../out", "out"])
def test_a_tar_never_writes_elsewhere(scene: Scene, tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    refused(path, AllowedSigners(scene.signers), "which no bundle has")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_a_tar_holds_nothing_but_files(scene: Scene, tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("bundle/x")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    refused(path, AllowedSigners(scene.signers), "which no bundle has")


def test_a_tar_that_says_a_name_twice_is_refused(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "twice.tar"
    with tarfile.open(path, "w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("bundle/x"), io.BytesIO())
    refused(path, AllowedSigners(scene.signers), "twice")
