"""The cpio writer, against a reader of its own and against cpio(1)."""

import io
import shutil
import stat
import subprocess
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpharness.images import cpio
from lpharness.images.tree import Device, Entry, File, Folder, Symlink, Tree


class Record(NamedTuple):
    name: str
    inode: int
    mode: int
    owner: tuple[int, int]
    mtime: int
    device: tuple[int, int]
    content: bytes


def read(data: bytes) -> list[Record]:
    """Read the concatenated archives of an initramfs, as strictly as the kernel does."""
    records = []
    at = 0
    while at < len(data):
        if data[at : at + 1] == b"\0":  # padding between archives
            at += 1
            continue
        assert at % 4 == 0
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        inode, mode, uid, gid, _, mtime, size, _, _, major, minor, name_size, _ = fields
        name_at = at + 110
        name = data[name_at : name_at + name_size]
        assert name.endswith(b"\0")
        content_at = -(-(name_at + name_size) // 4) * 4
        content = data[content_at : content_at + size]
        assert len(content) == size
        at = -(-(content_at + size) // 4) * 4
        if name != b"TRAILER!!!\0":
            decoded = name[:-1].decode()
            records.append(Record(decoded, inode, mode, (uid, gid), mtime, (major, minor), content))
    return records


def written(tree: Tree) -> bytes:
    out = io.BytesIO()
    cpio.write(tree, out)
    return out.getvalue()


_names = st.text("abcXYZ.-_+äß", min_size=1, max_size=9).filter(lambda n: n not in (".", ".."))
_paths = st.lists(_names, min_size=1, max_size=4).map("/".join)
_entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(File, st.binary(max_size=70), st.sampled_from([0o644, 0o755])),
    st.builds(Symlink, _paths),
    st.builds(Device, st.integers(0, 255), st.integers(0, 255)),
    st.just(Folder()),
)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    tree = Tree()
    for path, entry in draw(st.dictionaries(_paths, _entries, max_size=8)).items():
        try:
            tree.add(path, entry)
        except ValueError:  # below a file, or through a circle of links
            continue
    return tree


@settings(deadline=None)
@given(trees())
def test_what_is_written_is_read_back(tree: Tree) -> None:
    records = read(written(tree))
    assert [r.name for r in records] == sorted(tree.entries)
    for record in records:
        entry = tree.entries[record.name]
        match entry:
            case File():
                assert stat.S_ISREG(record.mode)
                assert record.content == entry.content
            case Symlink():
                assert stat.S_ISLNK(record.mode)
                assert record.content.decode() == entry.target
            case Device():
                assert stat.S_ISCHR(record.mode)
                assert record.device == (entry.major, entry.minor)
            case Folder():
                assert stat.S_ISDIR(record.mode)
        if not isinstance(entry, Symlink):
            assert stat.S_IMODE(record.mode) == entry.mode


@settings(deadline=None)
@given(trees())
def test_parents_come_before_their_children(tree: Tree) -> None:
    seen = {""}
    for record in read(written(tree)):
        assert record.name.rpartition("/")[0] in seen
        seen.add(record.name)


@settings(deadline=None)
@given(trees(), trees())
def test_archives_can_be_concatenated(first: Tree, second: Tree) -> None:
    both = read(written(first) + written(second))
    assert both == read(written(first)) + read(written(second))


@settings(deadline=None)
@given(trees())
def test_nothing_of_the_host_is_in_it(tree: Tree) -> None:
    records = read(written(tree))
    assert all(record.owner == (0, 0) and record.mtime == 0 for record in records)
    assert [record.inode for record in records] == list(range(1, len(records) + 1))
    assert written(tree) == written(Tree(dict(reversed(tree.entries.items()))))


def test_cpio_extracts_it(tmp_path) -> None:
    if not shutil.which("cpio"):
        pytest.skip("no cpio")
    large = tmp_path / "large"
    large.write_bytes(b"x" * 100_001)
    tree = Tree()
    tree.add("etc/motd", File(b"hello\n"))
    tree.add("bin/run", File(large, 0o755))
    tree.add("bin/link", Symlink("run"))
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["cpio", "-id", "--quiet"], input=written(tree), cwd=out, check=True)
    assert (out / "etc/motd").read_bytes() == b"hello\n"
    assert (out / "bin/link").read_bytes() == large.read_bytes()
    assert (out / "bin/run").stat().st_mode & 0o777 == 0o755
