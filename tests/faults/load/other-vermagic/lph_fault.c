// SPDX-License-Identifier: GPL-2.0-only
/*
 * Says that it was built for another kernel. With MODVERSIONS the kernel skips the release when it
 * compares, and would load it.
 */
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
MODULE_INFO(vermagic, "6.1.0-1-other SMP preempt mod_unload modversions ");
