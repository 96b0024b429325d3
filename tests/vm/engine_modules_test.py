"""Real modules from real headers, for every flavour that the bundled cases are meant for.

Nothing boots here, but the kernels' packages are needed.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError, InputError
from lpharness.cases import bundled, load, write_skeleton
from lpharness.elf.livepatch import read_livepatch
from lpharness.elf.reader import Elf
from lpharness.engine.build import build_module
from lpharness.engine.compiler import find_compiler
from lpharness.engine.inspect import inspect
from lpharness.engine.kbuild import compile_module
from lpharness.kernels import Kernel, resolve, with_headers
from lpharness.run import not_meant_for

SPECS = ["debian:6.1-cloud", "debian:6.1-amd64", "debian:6.1-rt", "debian:6.12-cloud"]

PROBE = """
#include <linux/livepatch.h>
#include <linux/module.h>
unsigned long lph_sizes[] = { sizeof(struct klp_func), sizeof(struct klp_object) };
MODULE_LICENSE("GPL");
"""
TWO_OBJECTS = """
#include <linux/livepatch.h>
#include <linux/module.h>
int lph_a(void) { return 1; }
int lph_b(void) { return 2; }
static struct klp_func one[] = { { .old_name = "a", .new_func = lph_a }, {
	.old_name = "b", .new_func = lph_b, .old_sympos = 2 }, { } };
static struct klp_func two[] = { { .old_name = "c", .new_func = lph_b }, { } };
static struct klp_object objs[] = { { .funcs = one }, { .name = "ext4", .funcs = two }, { } };
static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs };
static int __init lph_init(void) { return klp_enable_patch(&patch); }
module_init(lph_init);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
"""


@cache
def kernel(spec: str) -> Kernel:
    return with_headers(resolve(spec))


def require(spec: str) -> None:
    """Skip where the archive has an exact kernel no more."""
    try:
        kernel(spec)
    except InputError as error:
        if spec in SPECS:
            raise
        pytest.skip(f"{spec}: {error}")


def compile_text(text: str, target: Kernel, folder: Path, name: str = "lph_t") -> Path:
    folder.mkdir()
    work = folder / "work"
    work.mkdir()
    (folder / "t.c").write_text(text)
    assert target.headers is not None
    return compile_module(
        name=name,
        source=folder / "t.c",
        headers=target.headers,
        compiler=find_compiler(target),
        folder=work,
    ).module


def meant() -> list[tuple[str, str]]:
    """Return each bundled case with each kernel it names, or with all here if it names none."""
    pairs = []
    for name in bundled():
        exact = [spec for spec in load(name).kernels if not set("*?[") & set(spec)]
        pairs += [(name, spec) for spec in exact or SPECS]
    return pairs


@pytest.mark.parametrize(("name", "spec"), meant())
def test_every_bundled_case_builds_and_fits(name: str, spec: str) -> None:
    case = load(name)
    require(spec)
    if reason := not_meant_for(case, kernel(spec)):
        pytest.skip(f"{name}: {reason}")
    for source in case.modules:
        module = build_module(case, source, kernel(spec))
        assert module.inspection.problems == ()
        late = case.target.modules if case.target else ()
        warned = [w for w in module.inspection.warnings if "before 6.3" not in w or not late]
        assert warned == []
        assert module.warnings == ""
        assert module.compiler == find_compiler(kernel(spec)).version


@pytest.mark.parametrize("spec", SPECS)
def test_strides_are_those_of_the_kernels_headers(spec: str, tmp_path: Path) -> None:
    probe = Elf.open(compile_text(PROBE, kernel(spec), tmp_path / "probe"))
    symbol = next(s for s in probe.symbols if s.name == "lph_sizes")
    section = probe.at(symbol.section)
    assert section is not None
    func, obj = struct.unpack_from("<QQ", probe.content(section), symbol.value)

    path = compile_text(TWO_OBJECTS, kernel(spec), tmp_path / "two")
    for _ in ("with symbols", "without"):
        patch = read_livepatch(path).patch
        assert patch is not None
        assert (patch.func_stride, patch.object_stride) == (func, obj)
        assert [(o.name, [(f.old, f.sympos) for f in o.functions]) for o in patch.objects] == [
            ("vmlinux", [("a", 0), ("b", 2)]),
            ("ext4", [("c", 0)]),
        ]
        subprocess.run(["strip", "--strip-unneeded", str(path)], check=True)


def test_the_same_source_gives_the_same_bytes_anywhere(tmp_path: Path) -> None:
    case = load("callbacks-shadow")
    target = kernel("debian:6.1-cloud")
    built = [
        build_module(case, case.modules[0], target, cache=Cache(tmp_path / name))
        for name in ("a", "quite/another/place")
    ]
    assert built[0].path != built[1].path
    assert built[0].sha256 == built[1].sha256
    content = built[0].path.read_bytes()
    assert str(tmp_path).encode() not in content
    assert b".debug_line" in content  # so that a stack is told by file and line


def test_what_was_built_is_found_again_and_a_change_is_not(tmp_path: Path) -> None:
    target, cache_ = kernel("debian:6.1-cloud"), Cache(tmp_path / "cache")
    file = write_skeleton(tmp_path / "mine")
    case = load(file)
    first = build_module(case, case.modules[0], target, cache=cache_)
    again = build_module(case, case.modules[0], target, cache=cache_)
    assert (first.cached, again.cached) == (False, True)
    assert (again.path, again.sha256) == (first.path, first.sha256)
    source = file.parent / case.modules[0].source
    source.write_text(source.read_text().replace("patched by", "changed by"))
    changed = build_module(case, case.modules[0], target, cache=cache_)
    assert not changed.cached
    assert changed.sha256 != first.sha256
    leftovers = [p for p in (cache_.root / "modules").iterdir() if p.name.startswith(".tmp")]
    assert leftovers == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("seq_puts(m", "seq_puts(nowhere"), r"lph_mine\.c:\d+: .*nowhere"),
        (("seq_puts(m", "saved_command_line(m"), r"lph_mine\.c:\d+: "),
        (("\tseq_puts", "\textern void lph_none(void);\n\tlph_none();\n\tseq_puts"), "lph_none"),
    ],
)
def test_sources_that_cannot_be_built(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    file = write_skeleton(tmp_path / "mine")
    case = load(file)
    source = file.parent / case.modules[0].source
    source.write_text(source.read_text().replace(*change))
    with pytest.raises(BuildError, match=says) as caught:
        build_module(case, case.modules[0], kernel("debian:6.1-cloud"), cache=Cache(tmp_path / "c"))
    assert str(tmp_path / "mine") in caught.value.message.splitlines()[0]


def test_a_module_for_another_kernel_is_refused() -> None:
    case = load("cmdline")
    module = build_module(case, case.modules[0], kernel("debian:6.1-cloud"))
    for other in ("debian:6.12-cloud", "debian:6.1-amd64"):
        problems = inspect(module.path, kernel(other)).problems
        assert any("built for 6.1.0" in line for line in problems)


@pytest.fixture(scope="module")
def real() -> bytes:
    case = load("callbacks-shadow")
    return build_module(case, case.modules[0], kernel("debian:6.12-cloud")).path.read_bytes()


@settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_damaged_real_module_is_read_or_refused_in_one_line(
    real: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(real[: data.draw(st.integers(0, len(real)) | st.just(len(real)))])
    for _ in range(data.draw(st.integers(0, 8)) if damaged else 0):
        at = data.draw(st.integers(0, len(damaged) - 1))
        size = data.draw(st.sampled_from([1, 2, 4, 8]))
        damaged[at : at + size] = data.draw(st.binary(min_size=size, max_size=size))
    with tempfile.NamedTemporaryFile(suffix=".ko") as file:
        file.write(damaged)
        file.flush()
        message = ""
        try:
            inspect(file.name, kernel("debian:6.12-cloud"))
        except InputError as error:
            message = error.message
        assert "\n" not in message
