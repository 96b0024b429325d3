// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls with a stack pointer that leads nowhere: the fault's handler has no stack either.
 */
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	asm volatile("xor %%esp, %%esp\n\tpush %%rax" ::: "memory");
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
