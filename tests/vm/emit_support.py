"""Cases for the engine, written on the source tree of the kernel at hand: they cannot go stale."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from lpharness.base.errors import HostError, InputError
from lpharness.engine.compiler import find_compiler
from lpharness.kernels import resolve, with_headers
from lpharness.kernels.model import Kernel
from lpharness.sources.prepare import prepare_tree

KERNELS = ("debian:6.1-cloud", "debian:6.12-cloud")
CMDLINE = "fs/proc/cmdline.c"
TASK_MMU = "fs/proc/task_mmu.c"


@functools.cache
def kernel(spec: str) -> Kernel:
    """Return a kernel with headers, or skip where the archive has it no more."""
    try:
        found = with_headers(resolve(spec))
        find_compiler(found)
    except (HostError, InputError) as error:
        pytest.skip(f"{spec}: {error}")
    return found


def edited(spec: str, path: str, edit: Callable[[str], str]) -> str:
    """Return the diff that an edit of a file makes on a kernel's own source."""
    before = prepare_tree(kernel(spec)).read(path)
    assert before is not None
    old = before.decode()
    new = edit(old)
    assert old != new
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return "".join(lines)


def replaced(text: str, old: str, new: str) -> str:
    """Replace the one place where a text stands."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


def case(folder: Path, diff: str, body: str, name: str = "lph_diff") -> Path:
    """Write a case with one module that is made of a diff."""
    (folder / "fix.patch").write_text(diff)
    (folder / "case.toml").write_text(
        f'title = "made of a diff"\nworkloads = ["proc-reader"]\n\n{body}\n'
        f'[[module]]\nname = "{name}"\npatch = "fix.patch"\n'
    )
    return folder


def prints_more(text: str) -> str:
    """Let /proc/cmdline begin with other words."""
    call = next(line for line in text.splitlines() if "seq_put" in line)
    return text.replace(call, f'\tseq_puts(m, "patched from source: ");\n{call}', 1)


_CALLBACKS = """#include <linux/livepatch.h>

#define LPH_CALLBACK(kind, function) \\
	static typeof(&(function)) lph_##kind __used __section(".lph.callbacks." #kind) = (function)
#define LPH_SHOWN 4711

static int lph_before(struct klp_object *object)
{
	pr_info("lph: pre_patch of %s\\n", object->name ? object->name : "vmlinux");
	return 0;
}
LPH_CALLBACK(pre_patch, lph_before);

static void lph_after(struct klp_object *object)
{
	klp_shadow_free_all(LPH_SHOWN, NULL);
	pr_info("lph: post_unpatch\\n");
}
LPH_CALLBACK(post_unpatch, lph_after);

"""
_COUNT = """\tint *shown = klp_shadow_get_or_alloc(&saved_command_line, LPH_SHOWN, sizeof(int),
\t\tGFP_KERNEL, NULL, NULL);

\tif (shown)
\t\tseq_printf(m, "shown %d times: ", ++*shown);
"""


def counts_in_a_shadow(text: str) -> str:
    """Count the reads of /proc/cmdline in a shadow variable, with callbacks."""
    head = "static int cmdline_proc_show("
    text = replaced(text, head, _CALLBACKS + head)
    call = next(line for line in text.splitlines() if "seq_put" in line and "\t" in line[:1])
    at = text.index(call, text.index(head))
    return text[:at] + _COUNT + text[at:]


_HELPER = """static noinline void lph_permission(struct seq_file *m, vm_flags_t flags)
{
	static const char *const names[] = { "none", "read", "write", "both" };
	static unsigned long lines;
	int which = !!(flags & VM_READ) + 2 * !!(flags & VM_WRITE);

	WARN_ON(which > 3 || !m);
	if (!lines++) /* under proc-reader there are a hundred thousand */
		pr_info("lph: a line of a map\\n");
	pr_debug("lph: line %lu\\n", lines);
	switch (flags & (VM_READ | VM_WRITE | VM_EXEC)) {
	case VM_READ:
	case VM_READ | VM_EXEC:
		seq_puts(m, "R");
		break;
	default:
		seq_putc(m, names[which][0]);
	}
}

"""


def calls_a_helper(text: str) -> str:
    """A static function with several callers gets a new helper, strings, data and warnings."""
    head = "static void show_vma_header_prefix(struct"
    text = replaced(text, head, _HELPER + head)
    call = "\tseq_putc(m, flags & VM_READ ? 'r' : '-');\n"
    at = text.index(call, text.index(head))
    return text[:at] + "\tlph_permission(m, flags);\n" + text[at + len(call) :]
