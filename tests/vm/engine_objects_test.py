"""Source diffs on stock kernels: the right objects, compiled as they were shipped.

No guest is started; what takes time is Debian's source, which is unpacked once into the cache.
"""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path

import msgspec
import pytest

from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError, InputError
from lpharness.elf.object_reader import read_object
from lpharness.engine.compiler import find_compiler
from lpharness.engine.differ import diff_files
from lpharness.engine.differ.report import FunctionState
from lpharness.engine.objects import Match, ObjectPair, compile_pairs, plan_diff, prove_base
from lpharness.engine.objects.compile import compile_unit
from lpharness.engine.objects.makefiles import Makefiles
from lpharness.engine.objects.proof import prove_object
from lpharness.kernels import resolve
from lpharness.kernels.image_symbols import image_symbols
from lpharness.kernels.symbols import load_symbols
from lpharness.sources.delta import delta
from lpharness.sources.prepare import prepare_tree
from lpharness.sources.tree import SourceTree

SPECS = ("debian:6.1-cloud", "debian:6.12-cloud")
CMDLINE = "fs/proc/cmdline.c"


@pytest.fixture(scope="module", params=SPECS)
def tree(request: pytest.FixtureRequest) -> SourceTree:
    return prepare_tree(resolve(request.param))


@pytest.fixture(scope="module")
def tree_61() -> SourceTree:
    return prepare_tree(resolve("debian:6.1-cloud"))


def edited(tree: SourceTree, path: str, old: str, new: str) -> str:
    content = tree.read(path)
    assert content is not None
    before = content.decode()
    assert old in before
    return "".join(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            before.replace(old, new, 1).splitlines(keepends=True),
            f"a/{path}",
            f"b/{path}",
        )
    )


def cmdline_diff(tree: SourceTree) -> str:
    return edited(tree, CMDLINE, "seq_putc(m, '\\n');", 'seq_puts(m, "!\\n");')


def the_pair(tree: SourceTree, diff: str) -> ObjectPair:
    (pair,) = compile_pairs(plan_diff(tree, diff))
    return pair


def test_a_diff_of_one_file_is_one_proven_pair(tree: SourceTree) -> None:
    pair = the_pair(tree, cmdline_diff(tree))
    assert (pair.object_name, pair.source) == ("vmlinux", CMDLINE)
    proof = prove_base(pair, tree.kernel)
    assert proof.holds, proof.failures
    shown = proof.named("cmdline_proc_show")
    assert shown is not None
    assert shown.sympos == 1
    assert shown.unique
    assert proof.references > 0
    names = {section.name for section in read_object(pair.original).sections}
    assert ".text.cmdline_proc_show" in names
    assert ".text.cmdline_proc_show" not in {
        section.name for section in read_object(pair.plain_original).sections
    }
    assert pair.original.read_bytes() != pair.patched.read_bytes()


def test_nothing_is_compiled_twice(tree: SourceTree) -> None:
    the_pair(tree, cmdline_diff(tree))
    again = the_pair(tree, cmdline_diff(tree))
    assert (again.cached, again.seconds) == (True, 0)


def test_a_function_of_another_source_does_not_pass(tree: SourceTree) -> None:
    """The patched object must fail the proof that the original passes."""
    plan = plan_diff(tree, cmdline_diff(tree))
    (unit,) = plan.units
    made = compile_unit(plan.makefiles, unit, ("-g0",), plan.contents, cache=Cache())
    proof = prove_object(read_object(made.object), unit.source, "vmlinux", tree.kernel)
    shown = proof.named("cmdline_proc_show")
    assert shown is not None
    assert shown.state is Match.DIFFERS
    assert not proof.holds


def test_debug_information_changes_no_code(tree: SourceTree) -> None:
    """What is compiled with ``-g0`` is what the kernel's own ``-g`` gives."""
    makefiles = Makefiles(tree, find_compiler(tree.kernel))
    unit = makefiles.unit(CMDLINE)
    assert unit is not None
    objects = [
        read_object(compile_unit(makefiles, unit, flags, {}, cache=Cache()).object)
        for flags in (("-g0",), ())
    ]
    code = [
        [(s.name, s.data) for s in o.sections if s.allocated and not s.name.startswith(".note")]
        for o in objects
    ]
    assert code[0] == code[1]
    assert objects[1].section(".debug_info") is not None


@pytest.mark.parametrize(
    ("path", "old", "new", "folder", "module"),
    [
        ("fs/xfs/xfs_error.c", "return 0;", "return 1;", "fs/xfs", "xfs"),
        ("net/bridge/br_if.c", "return 0;", "return 1;", "net/bridge", "bridge"),
        # compiled from the makefile of another folder
        ("drivers/net/ethernet/intel/ixgbevf/vf.c", "return 0;", "return 1;",
         "drivers/net/ethernet/intel/ixgbevf", "ixgbevf"),
    ],
)  # fmt: skip
def test_modules_are_compiled_and_proven_as_modules(
    tree: SourceTree, path: str, old: str, new: str, folder: str, module: str
) -> None:
    plan = plan_diff(tree, edited(tree, path, old, new))
    if plan.refusals:
        pytest.skip(str(plan.refusals[0]))
    (pair,) = compile_pairs(plan)
    assert (pair.object_name, pair.unit.folder) == (module, folder)
    assert "-DMODULE" in pair.command
    proof = prove_base(pair, tree.kernel)
    assert proof.holds, proof.failures


@pytest.mark.parametrize(
    ("spec", "object_name"),
    [("debian:6.1.0-55-cloud-amd64", "vmlinux"), ("debian:6.1.0-55-amd64", "ext4")],
)
def test_a_shipped_fix_in_the_kernel_and_in_a_module(spec: str, object_name: str) -> None:
    """The ext4 fix of 6.1.192-2 (Debian bug #1154101), while the archive has both versions."""
    try:
        diff = delta("6.1.192-1", "6.1.192-2", "fs/ext4/mballoc.c")
        kernel = resolve(spec)
    except InputError as error:
        pytest.skip(str(error))
    pair = the_pair(prepare_tree(kernel), diff)
    assert pair.object_name == object_name
    proof = prove_base(pair, kernel)
    assert proof.holds, proof.failures or proof.strays
    report = diff_files(pair.original, pair.patched)
    changed = {f.name for f in report.functions if f.state is FunctionState.CHANGED}
    assert changed == {"ext4_mb_init_group", "ext4_mb_load_buddy_gfp"}


def test_a_header_stands_for_those_who_include_it(tree_61: SourceTree) -> None:
    path = "fs/ext4/mballoc.h"
    diff = edited(tree_61, path, "MB_DEFAULT_MAX_TO_SCAN\t\t200", "MB_DEFAULT_MAX_TO_SCAN\t\t201")
    few = plan_diff(tree_61, diff, most_units=2)
    assert [refusal.kind for refusal in few.refusals] == ["too-many-units"]
    assert "files that would have to be compiled" in few.refusals[0].reason
    plan = plan_diff(tree_61, diff)
    assert not plan.refusals
    assert "fs/ext4/mballoc.c" in plan.files[0].units
    assert "fs/ext4/namei.c" not in plan.files[0].units


def test_a_c_file_that_another_includes_is_two_units(tree_61: SourceTree) -> None:
    diff = edited(tree_61, "fs/binfmt_elf.c", "goto out_free_file;", "goto out_free_ph;")
    plan = plan_diff(tree_61, diff)
    assert [unit.source for unit in plan.units] == ["fs/binfmt_elf.c", "fs/compat_binfmt_elf.c"]
    for pair in compile_pairs(plan):
        assert prove_base(pair, tree_61.kernel).holds
        assert pair.original.read_bytes() != pair.patched.read_bytes()


REFUSED = [
    ("arch/x86/entry/entry_64.S", "assembly"),
    ("arch/x86/kernel/vmlinux.lds.S", "linker-script"),
    ("fs/ext4/Kconfig", "kconfig"),
    ("fs/ext4/Makefile", "makefile"),
    ("include/linux/sched.h", "too-many-units"),
    ("arch/x86/boot/main.c", "not-kernel"),
    ("lib/vdso/gettimeofday.c", "not-kernel"),
    ("fs/adfs/dir.c", "not-built"),
    ("tools/objtool/check.c", "no-code"),
]


@pytest.mark.parametrize(("path", "kind"), REFUSED)
def test_what_no_livepatch_can_do_is_refused_by_name(
    tree_61: SourceTree, path: str, kind: str
) -> None:
    content = tree_61.read(path)
    assert content is not None
    line = content.decode().split("\n")[0]
    diff = f"--- a/{path}\n+++ b/{path}\n@@ -1 +1,2 @@\n {line}\n+int task;\n"
    plan = plan_diff(tree_61, diff)
    assert [refusal.kind for refusal in plan.refusals] == [kind]
    assert plan.refusals[0].hint
    with pytest.raises(InputError):
        compile_pairs(plan)


def test_a_struct_of_another_layout_is_suspected_with_its_line(tree_61: SourceTree) -> None:
    diff = edited(tree_61, "fs/proc/internal.h", "struct pde_opener {\n",
                  "struct pde_opener {\n\tint lph;\n")  # fmt: skip
    plan = plan_diff(tree_61, diff, most_units=100)
    assert not plan.refusals
    (suspect,) = plan.suspects
    assert (suspect.name, suspect.tagged) == ("struct pde_opener", True)
    text = (tree_61.read("fs/proc/internal.h") or b"").decode().split("\n")
    assert text[suspect.line - 1] == "struct pde_opener {"
    assert not plan_diff(tree_61, diff, most_units=100, allow={"layout"}).suspects


def test_layouts_of_what_is_not_built_do_not_matter(tree_61: SourceTree) -> None:
    path, members = "fs/adfs/adfs.h", "struct adfs_sb_info {"
    diff = edited(tree_61, path, members, f"{members}\n\tint lph;")
    assert [refusal.kind for refusal in plan_diff(tree_61, diff).refusals] == ["not-built"]
    both = plan_diff(tree_61, diff + cmdline_diff(tree_61))
    assert not both.refusals
    assert not both.suspects
    assert [unit.source for unit in both.units] == [CMDLINE]
    assert any("adfs.h: not part of" in note for note in both.notes)


def test_comments_alone_are_no_change(tree_61: SourceTree) -> None:
    plan = plan_diff(tree_61, edited(tree_61, CMDLINE, "#include", "/* x */\n#include"))
    assert [refusal.kind for refusal in plan.refusals] == ["no-code"]


def test_a_diff_that_is_in_the_kernel_is_told_so(tree_61: SourceTree) -> None:
    lines = cmdline_diff(tree_61).split("\n")
    swapped = {"+": "-", "-": "+"}
    turned = "\n".join(
        line if line.startswith(("---", "+++")) else swapped.get(line[:1], line[:1]) + line[1:]
        for line in lines
    )
    with pytest.raises(InputError, match="already"):
        plan_diff(tree_61, turned)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "fs/../../x.c"])
def test_paths_out_of_the_tree_are_refused(tree_61: SourceTree, path: str) -> None:
    with pytest.raises(InputError, match="leaves the kernel tree"):
        plan_diff(tree_61, f"--- {path}\n+++ {path}\n@@ -0,0 +1 @@\n+x\n")


def test_only_what_is_compiled_is_laid_into_the_tree(tree_61: SourceTree) -> None:
    """A diff is no way to bring programs or rules of its own into a build."""
    evil = "".join(
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+evil\n"
        for path in ("tools/objtool/evil.sh", "scripts/evil.sh", "Documentation/evil.rst")
    )
    plan = plan_diff(tree_61, cmdline_diff(tree_61) + evil)
    assert not plan.refusals
    assert set(plan.contents) == {CMDLINE}
    for path in ("fs/proc/GNUmakefile", ".config", "include/generated/x.h", "fs/proc/evil.c"):
        alone = f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+evil\n"
        if path == ".config":
            alone = "--- a/.config\n+++ b/.config\n@@ -1,0 +1 @@\n+evil\n"
        assert plan_diff(tree_61, alone).refusals, path


def test_mails_with_several_files_are_one_plan(tree_61: SourceTree) -> None:
    mail = "From x\nSubject: [PATCH]\n\n---\n fs/proc/cmdline.c | 2 +-\n\n" + cmdline_diff(tree_61)
    mail += "-- \n2.39\n\nFrom y\nSubject: [PATCH 2/2]\n\n" + edited(
        tree_61, "fs/proc/version.c", "seq_printf(m,", "seq_printf( m,"
    ).replace("\n", "\r\n")
    plan = plan_diff(tree_61, mail)
    assert [unit.source for unit in plan.units] == [CMDLINE, "fs/proc/version.c"]
    assert b"\r" not in (plan.contents["fs/proc/version.c"] or b"")


def test_an_error_in_the_patched_source_is_the_diffs(tree_61: SourceTree) -> None:
    diff = edited(tree_61, CMDLINE, "seq_putc(m, '\\n');", "seq_putc(m, nothing);")
    with pytest.raises(BuildError, match=r"fs/proc/cmdline.c:\d+: .nothing. undeclared"):
        compile_pairs(plan_diff(tree_61, diff))


def test_a_flavour_of_another_source_is_refused() -> None:
    """The -rt flavour of 6.1 takes patches that no binary package holds."""
    with pytest.raises(InputError, match=r"is not what 6\.1.*-rt-amd64 was built"):
        prepare_tree(resolve("debian:6.1-rt"))


@pytest.fixture
def own_tree(tree_61: SourceTree, tmp_path: Path) -> SourceTree:
    """A tree as a user has it: one folder, writable, with what a build leaves."""
    overlay = tree_61.overlay(tmp_path / "linux")
    overlay.open("fs/proc")
    overlay.write(CMDLINE, tree_61.read(CMDLINE) or b"")
    kernel = tree_61.kernel
    origin = msgspec.structs.replace(kernel.origin, spec=f"tree:{overlay.folder}")
    return prepare_tree(msgspec.structs.replace(kernel, origin=origin))


def test_what_a_build_left_in_a_tree_is_not_in_the_way(
    own_tree: SourceTree, tmp_path: Path
) -> None:
    """kbuild would find the object up to date, tell no command, and write it where it lies."""
    root = own_tree.layers[0]
    unit = Makefiles(own_tree, find_compiler(own_tree.kernel)).unit(CMDLINE)
    assert unit is not None
    command = unit.command.partition(" ; ")[0]
    folder = root / "fs/proc"
    (folder / "cmdline.o").write_bytes(b"left by a build")
    (folder / ".cmdline.o.cmd").write_text(
        f"cmd_fs/proc/cmdline.o := {command}\nsavedcmd_fs/proc/cmdline.o := {command}\n"
    )
    (folder / ".cmdline.o.d").write_text("left by a build")
    before = digest(root)
    aside = Cache(tmp_path / "cache")  # nothing of this tree is known there
    plan = plan_diff(own_tree, cmdline_diff(own_tree), cache=aside)
    (pair,) = compile_pairs(plan, cache=aside)
    assert prove_base(pair, own_tree.kernel).holds
    assert digest(root) == before


def test_the_same_change_twice_is_told_from_one_that_is_there(tree_61: SourceTree) -> None:
    with pytest.raises(InputError, match=r"changes fs/proc/cmdline\.c again") as caught:
        plan_diff(tree_61, cmdline_diff(tree_61) * 2)
    assert caught.value.hint == "is the same change in it twice?"


def test_a_configuration_that_looks_old_is_left_as_it_is(
    own_tree: SourceTree, tmp_path: Path
) -> None:
    """kbuild would remove what it made of .config, and make it anew: in the user's own tree."""
    root = own_tree.layers[0]
    (root / ".config").touch()
    before = digest(root)
    aside = Cache(tmp_path / "cache")  # nothing of this tree is known there
    assert Makefiles(own_tree, find_compiler(own_tree.kernel), cache=aside).unit(CMDLINE)
    assert digest(root) == before


def digest(folder: Path) -> str:
    names = sorted(f"{path} {path.lstat().st_mtime_ns}" for path in folder.rglob("*"))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def test_a_users_own_tree_is_read_anew_and_never_written(own_tree: SourceTree) -> None:
    root = own_tree.layers[0]
    before = digest(root)
    first = the_pair(own_tree, cmdline_diff(own_tree))
    assert prove_base(first, own_tree.kernel).holds
    assert the_pair(own_tree, cmdline_diff(own_tree)).cached
    assert digest(root) == before
    source = root / CMDLINE
    source.write_text(source.read_text().replace("'\\n'", "'?'"))
    changed = the_pair(own_tree, edited(own_tree, CMDLINE, "'?'", "'!'"))
    assert changed.plain_original.read_bytes() != first.plain_original.read_bytes()
    assert not prove_base(changed, own_tree.kernel).holds


def test_the_images_symbols_are_what_a_guest_told(tree: SourceTree) -> None:
    told = load_symbols(tree.kernel)
    if told is None:
        pytest.skip("no guest of this kernel has told its symbols yet")
    names = [(s.name, s.type) for s in told if s.object == "vmlinux"]
    assert [(s.name, s.type) for s in image_symbols(tree.kernel)] == names


def test_a_header_that_only_gets_what_the_diff_alone_uses_stands_for_no_other_unit(
    tree_61: SourceTree,
) -> None:
    """include/linux/seq_file.h is in more units than anybody would compile."""
    header = "include/linux/seq_file.h"
    helper = (
        "static inline int lph_helper(struct seq_file *m, int x)\n{\n\treturn m ? x + 1 : 0;\n}\n"
    )
    used = edited(tree_61, CMDLINE, "\treturn 0;", "\treturn lph_helper(m, -1);")
    added = edited(tree_61, header, "#define SEQ_SKIP 1\n", f"#define SEQ_SKIP 1\n\n{helper}")
    plan = plan_diff(tree_61, added + used)
    assert not plan.refusals
    assert [unit.source for unit in plan.units] == [CMDLINE]
    assert any("only adds lph_helper" in note for note in plan.notes)
    (pair,) = compile_pairs(plan)
    assert prove_base(pair, tree_61.kernel).holds

    alone = plan_diff(tree_61, added)
    assert [refusal.kind for refusal in alone.refusals] == ["no-code"]

    # A word that others use, too, may mean something to them.
    known = edited(
        tree_61, header, "#define SEQ_SKIP 1\n", "#define SEQ_SKIP 1\n#define pid_t int\n"
    )
    assert [
        refusal.kind
        for refusal in plan_diff(tree_61, known + used.replace("lph_helper(m, -1)", "0")).refusals
    ] == ["too-many-units"]
