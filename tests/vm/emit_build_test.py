"""Livepatches of source diffs for stock kernels: what is in them. Nothing boots."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from emit_support import (
    CMDLINE,
    KERNELS,
    TASK_MMU,
    calls_a_helper,
    counts_in_a_shadow,
    edited,
    kernel,
    prints_more,
    replaced,
)

from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError, InputError
from lpharness.elf.object_reader import read_object
from lpharness.engine.emit import NoChange, Refused, build_diff
from lpharness.engine.emit.resolve import How
from lpharness.engine.objects import BaseProof, FunctionProof, Match
from lpharness.kernels.image_symbols import image_symbols

pytestmark = pytest.mark.parametrize("spec", KERNELS)


def test_a_module_of_one_function(spec: str) -> None:
    diff = edited(spec, CMDLINE, prints_more)
    path, patch, inspection = build_diff(diff, kernel(spec), name="lph_t")
    assert [(one.object, one.old, one.sympos) for one in patch.redirects] == [
        ("vmlinux", "cmdline_proc_show", 0)
    ]
    assert inspection.problems == ()
    assert inspection.livepatch.vermagic.split()[0] == kernel(spec).release
    assert all(item.crc is not None for item in inspection.livepatch.imports)
    names = [section.name for section in read_object(path).sections]
    assert len(names) == len(set(names))  # the kernel shows them in sysfs by name
    assert not [name for name in names if name.startswith((".BTF", ".debug"))]


def test_every_new_function_can_be_unwound_from_its_first_byte(spec: str) -> None:
    """Without an entry there, a task just entering it would never have a reliable stack."""
    path, patch, _ = build_diff(edited(spec, TASK_MMU, calls_a_helper), kernel(spec), name="lph_t")
    module = read_object(path)
    places = module.section(".orc_unwind_ip")
    assert places is not None
    covered: dict[str, list[int]] = {}
    for table in module.relocation_sections(places):
        for entry in table.entries:
            assert entry.symbol is not None
            assert entry.symbol.section is not None
            at = entry.symbol.value + entry.addend
            covered.setdefault(entry.symbol.section.name, []).append(at)
    for name in [one.new for one in patch.redirects] + ["lph_permission"]:
        symbol = module.symbol(name)
        assert symbol is not None
        assert symbol.section is not None
        assert any(at <= symbol.value for at in covered[symbol.section.name]), name


def test_the_same_bytes_each_time(spec: str, tmp_path: Path) -> None:
    diff = edited(spec, TASK_MMU, calls_a_helper)
    first, _, _ = build_diff(diff, kernel(spec), name="lph_t")
    # Only the module itself is made anew, elsewhere: its sources' preparation takes minutes.
    cache = Cache()
    for kind in ("livepatches",):
        assert cache.path(kind, first.parent.name) == first.parent
    moved = tmp_path / "moved"
    moved.mkdir()
    before = first.read_bytes()
    again, patch, _ = build_diff(diff, kernel(spec), name="lph_t", cache=_Elsewhere(moved))
    assert not patch.cached
    assert again.parent != first.parent
    assert again.read_bytes() == before


class _Elsewhere(Cache):
    """A cache that keeps livepatches in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._aside = Cache(folder)

    def find(self, kind: str, key: str, *, sealed: bool = False) -> Path | None:
        if kind == "livepatches":
            return self._aside.find(kind, key, sealed=sealed)
        return super().find(kind, key, sealed=sealed)

    def get(self, kind, key, build, *, sealed=False):  # type: ignore[no-untyped-def]
        if kind == "livepatches":
            return self._aside.get(kind, key, build, sealed=sealed)
        return super().get(kind, key, build, sealed=sealed)


def test_one_of_several_functions_of_a_name(spec: str) -> None:
    """m_start: three files have one each, and the right one is told by its place."""

    def edit(text: str) -> str:
        head = text.index("static void *m_start(struct seq_file *m, loff_t *ppos)\n{")
        at = text.index("\n\n", head)
        return text[:at] + '\n\n\tpr_info("lph: m_start\\n");' + text[at + 1 :]

    namesakes = image_symbols(kernel(spec)).lookup("m_start")
    assert len(namesakes) > 1
    _, patch, inspection = build_diff(edited(spec, TASK_MMU, edit), kernel(spec), name="lph_t")
    (one,) = [one for one in patch.redirects if one.old == "m_start"]
    assert one.sympos in range(1, len(namesakes) + 1)
    proven = next(o for o in patch.objects if o.source == TASK_MMU)
    assert proven.proved == proven.functions
    # Its neighbour in the file, unique in the kernel, lies near.
    (neighbour,) = image_symbols(kernel(spec)).lookup("show_vma_header_prefix")
    distances = [abs(symbol.address - neighbour.address) for symbol in namesakes]
    assert distances.index(min(distances)) == one.sympos - 1
    assert inspection.problems == ()


def test_callbacks_replace_and_shadow_variables(spec: str) -> None:
    diff = edited(spec, CMDLINE, counts_in_a_shadow)
    _, patch, inspection = build_diff(diff, kernel(spec), name="lph_t", replace=True)
    assert patch.callbacks == {"vmlinux": {"pre_patch": "lph_before", "post_unpatch": "lph_after"}}
    assert inspection.livepatch.patch is not None
    assert inspection.livepatch.patch.replace
    assert set(inspection.livepatch.shadow) == {"klp_shadow_free_all", "klp_shadow_get_or_alloc"}


def test_a_diff_of_two_files_whose_new_function_both_use(spec: str) -> None:
    """The one defines it, the other calls it: neither the kernel nor modpost knows it."""
    one = edited(
        spec, CMDLINE,
        lambda text: prints_more(text).replace(
            "static int cmdline_proc_show(",
            "int lph_shared(int x);\nint noinline lph_shared(int x)\n{\n\treturn x * 3;\n}\n\n"
            "static int cmdline_proc_show(", 1),
    )  # fmt: skip
    two = edited(
        spec, TASK_MMU,
        lambda text: replaced(
            text.replace(
                "static void show_vma_header_prefix(struct",
                "int lph_shared(int x);\n\nstatic void show_vma_header_prefix(struct", 1),
            "\tseq_setwidth(m, 25 + sizeof(void *) * 6 - 1);\n\tseq_put_hex_ll(m, NULL, start, 8);",
            "\tseq_setwidth(m, lph_shared(flags) + 25 + sizeof(void *) * 6 - 1);\n"
            "\tseq_put_hex_ll(m, NULL, start, 8);"),
    )  # fmt: skip
    path, patch, _ = build_diff(one + two, kernel(spec), name="lph_t")
    assert {o.source for o in patch.objects} == {CMDLINE, TASK_MMU}
    shared = [r for o in patch.objects for r in o.references if r.name == "lph_shared"]
    assert [reference.how for reference in shared] == [How.PATCH]
    defined = [s for s in read_object(path).symbols if s.name == "lph_shared"]
    assert len(defined) == 1
    assert not defined[0].undefined


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("\treturn 0;", "\t/* nothing */\n\treturn 0;", 1),
        lambda text: text.replace("\treturn 0;", "\treturn 1 - 1;", 1),
    ],
)
def test_no_change_in_code(spec: str, edit) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NoChange, match="no change in code"):
        build_diff(edited(spec, CMDLINE, edit), kernel(spec), name="lph_t")


def test_a_refusal_names_the_line(spec: str) -> None:
    def edit(text: str) -> str:
        return replaced(text, 'proc_create_single("cmdline"', 'proc_create_single("cmdline2"')

    diff = edited(spec, CMDLINE, edit)
    with pytest.raises(Refused) as caught:
        build_diff(diff, kernel(spec), name="lph_t")
    text = edit(_source(spec, CMDLINE))
    line = text[: text.index("proc_cmdline_init")].count("\n") + 1
    assert caught.value.message.startswith(f"{CMDLINE}:{line}: proc_cmdline_init: ")
    assert caught.value.objects[0].report.refusals


def test_a_base_that_is_not_the_kernels(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from lpharness.engine.emit import prepare

    def other(pair, kernel, *, cache=None) -> BaseProof:  # type: ignore[no-untyped-def]
        function = FunctionProof(
            name="cmdline_proc_show", section=".text", size=42, state=Match.DIFFERS, address=1,
            sympos=1, unique=True, first_difference=8, expected="90", found="cc",
        )  # fmt: skip
        return BaseProof(
            source=pair.source, object_name="vmlinux", image="i", functions=(function,)
        )

    monkeypatch.setattr(prepare, "prove_base", other)
    diff = edited(spec, CMDLINE, lambda text: prints_more(text).replace("from", "anew from"))
    with pytest.raises(InputError, match=r"at \+0x8 the kernel has 90, the compiler made cc"):
        build_diff(diff, kernel(spec), name="lph_base")
    _, patch, _ = build_diff(diff, kernel(spec), name="lph_base", force_base=True)
    assert patch.forced


def test_a_symbol_that_no_kernel_has(spec: str) -> None:
    def edit(text: str) -> str:
        head = "static int cmdline_proc_show("
        return prints_more(text).replace(head, f"extern int lph_nowhere;\n{head}").replace(
            '"patched from source: "', 'lph_nowhere ? "a" : "b"')  # fmt: skip

    with pytest.raises(BuildError, match=r"the patch needs lph_nowhere, which .* does not have"):
        build_diff(edited(spec, CMDLINE, edit), kernel(spec), name="lph_t")


def test_the_command(spec: str, tmp_path: Path) -> None:
    file = tmp_path / "fix.patch"
    file.write_text(edited(spec, CMDLINE, prints_more))
    command = [sys.executable, "-c", "from lpharness.cli.main import main; main()", "build"]
    out = tmp_path / "lph-mine.ko"
    done = subprocess.run(
        [*command, file, "-k", spec, "-o", out, "--json"], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (said,) = json.loads(done.stdout)
    assert said["name"] == "lph_mine"
    assert said["path"] == str(out)
    assert out.is_file()
    assert said["patch"]["objects"][0]["proved"] == said["patch"]["objects"][0]["functions"]
    explained = subprocess.run(
        [*command, file, "-k", spec, "-o", out, "--explain"], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "changed  cmdline_proc_show (replaced)" in explained.stdout
    assert "(built before)" in explained.stdout


def _source(spec: str, path: str) -> str:
    from lpharness.sources.prepare import prepare_tree

    found = prepare_tree(kernel(spec)).read(path)
    assert found is not None
    return found.decode()
