// SPDX-License-Identifier: GPL-2.0-only
/*
 * A name with a slip in it.
 */
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_shaw", .new_func = lph_show });
