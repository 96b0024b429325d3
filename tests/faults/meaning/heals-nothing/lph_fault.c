// SPDX-License-Identifier: GPL-2.0-only
/*
 * Just as the old one began.
 */
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "console=elsewhere\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
