// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/cmdline shows a fixed line while a CPU goes and comes.
 */
#include "lph_livepatch.h"

static int lph_cmdline_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "this kernel has been live patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_cmdline_proc_show });
