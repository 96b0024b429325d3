"""The list of traceable functions, kept beside its kernel."""

from types import SimpleNamespace

from lpharness.base.cache import Cache
from lpharness.kernels.traceable import Traceable, load_traceable, save_traceable

TEXT = b"cmdline_proc_show\ndisksize_show [zram]\nvfs_read\n"


def test_a_line_is_found_whole_or_not_at_all():
    lines = Traceable(TEXT)
    assert "cmdline_proc_show" in lines
    assert "vfs_read" in lines
    assert "disksize_show [zram]" in lines
    assert "disksize_show" not in lines
    assert "vfs" not in lines
    assert len(lines) == 3
    assert next(iter(lines)) == "cmdline_proc_show"


def test_it_is_kept_with_the_kernel(tmp_path):
    cache = Cache(tmp_path)
    kernel = SimpleNamespace(release="6.1.0-1", identity="abc")
    assert load_traceable(kernel, cache=cache) is None
    save_traceable(kernel, TEXT, cache=cache)
    assert "vfs_read" in load_traceable(kernel, cache=cache)
