// SPDX-License-Identifier: GPL-2.0-only
/*
 * Good in itself.
 */
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
