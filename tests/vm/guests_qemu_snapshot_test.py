"""Snapshots: used when whole, told of and dropped when not, shared, never twins."""

import os
import shutil
import subprocess
import threading

import msgspec
import pytest
from guest_support import soon, spec

from lpharness.base.cache import Cache
from lpharness.guests import snapshot
from lpharness.guests.qemu import QemuBackend


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A cache with one snapshot, made by this test."""
    cache = Cache(tmp_path_factory.mktemp("cache"))
    with QemuBackend(cache).start(spec(), deadline=soon()) as guest:
        assert guest.start.how == "restore"
        assert guest.start.why == "the snapshot was made first"
    return cache


@pytest.fixture
def cache(template, tmp_path):
    """A copy of that cache, to be damaged."""
    shutil.copytree(template.root, tmp_path / "cache", copy_function=_copy_sparse)
    return Cache(tmp_path / "cache")


def _copy_sparse(source, target):
    with open(source, "rb") as reader, open(target, "wb") as writer:  # noqa: PTH123
        while block := reader.read(1 << 20):
            if block.strip(b"\0"):
                writer.write(block)
            else:
                writer.seek(len(block), os.SEEK_CUR)
        writer.truncate()
    shutil.copystat(source, target)


def entry_of(cache):
    (entry,) = cache.entries("snapshots")
    return entry


def start(cache):
    return QemuBackend(cache).start(spec(), deadline=soon())


def test_is_for_its_owner_only(template):
    for path in entry_of(template).iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_is_left_as_it_was(cache):
    before = {path.name: path.stat().st_mtime_ns for path in entry_of(cache).iterdir()}
    with start(cache) as guest:
        assert guest.start.how == "restore"
        assert guest.start.why == ""
        guest.transport.run("dd if=/dev/urandom of=/tmp/x bs=1M count=8", deadline=soon())
    assert {path.name: path.stat().st_mtime_ns for path in entry_of(cache).iterdir()} == before


def test_two_at_once(cache):
    with start(cache) as one, start(cache) as two:
        one.transport.put(b"one", "/tmp/who", deadline=soon())
        two.transport.put(b"two", "/tmp/who", deadline=soon())
        assert one.transport.get("/tmp/who", deadline=soon()) == b"one"
        assert two.transport.get("/tmp/who", deadline=soon()) == b"two"
        assert (one.start.how, two.start.how) == ("restore", "restore")


def _truncate_memory(entry):
    os.truncate(entry / "memory", 1 << 20)


def _write_memory(entry):
    with (entry / "memory").open("r+b") as file:
        file.write(b"x")


def _flip_state(entry):
    data = bytearray((entry / "state").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (entry / "state").write_bytes(data)


def _lose_guard(entry):
    (entry / "guard.json").unlink()


@pytest.mark.parametrize(
    "damage", [_truncate_memory, _write_memory, _flip_state, _lose_guard], ids=lambda f: f.__name__
)
def test_damage_is_seen(cache, damage):
    damage(entry_of(cache))
    with pytest.raises(snapshot.SnapshotError, match=r"not as it was made|incomplete"):
        snapshot.restore(spec(), "tcg", entry_of(cache), None, soon())


def test_damage_falls_back_to_a_boot_and_is_told(cache):
    _flip_state(entry_of(cache))
    with start(cache) as guest:
        assert guest.start.how == "boot"
        assert "not as it was made" in guest.start.why
        assert guest.transport.run("echo well", deadline=soon()).text == "well\n"
    assert cache.entries("snapshots") == []


def test_what_qemu_refuses_falls_back_to_a_boot(cache):
    """A state that the guard takes for whole, as one of another QEMU would be."""
    entry = entry_of(cache)
    data = (entry / "state").read_bytes()
    (entry / "state").write_bytes(data[: len(data) // 2])
    (entry / "guard.json").write_bytes(msgspec.json.encode(snapshot._guard(entry)))
    with start(cache) as guest:
        assert guest.start.how == "boot"
        assert "could not be restored" in guest.start.why
    assert cache.entries("snapshots") == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 40 MB; a guest's memory has no place on it."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_falls_back_to_a_boot_and_is_told(small_disk):
    cache = Cache(small_disk)
    with start(cache) as guest:
        assert guest.start.how == "boot"
        assert guest.start.why.startswith("no space left for snapshots ")
        assert guest.transport.run("echo well", deadline=soon()).text == "well\n"
    assert cache.entries("snapshots") == []


def test_made_once_by_many(tmp_path):
    """Two that want the same snapshot at the same time make it once and both get a guest."""
    cache = Cache(tmp_path)
    whys = []

    def work():
        with start(cache) as guest:
            assert guest.transport.run("true", deadline=soon()).exit_status == 0
            whys.append((guest.start.how, guest.start.why))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [how for how, _ in whys] == ["restore", "restore"]
    assert len(cache.entries("snapshots")) == 1


def test_what_shapes_a_guest_is_in_the_key():
    base = spec()
    others = [
        msgspec.structs.replace(base, cpus=1),
        msgspec.structs.replace(base, memory_mb=1024),
        msgspec.structs.replace(base, network=False),
        msgspec.structs.replace(base, kernel_arguments=("quiet",)),
        msgspec.structs.replace(
            base, kernel=msgspec.structs.replace(base.kernel, identity="another")
        ),
        msgspec.structs.replace(
            base, image=msgspec.structs.replace(base.image, identity="another")
        ),
    ]
    keys = {snapshot.key(each, "tcg") for each in [base, *others]}
    keys.add(snapshot.key(base, "kvm"))
    assert len(keys) == len(others) + 2
