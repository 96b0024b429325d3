// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replaces all patches that there are.
 */
#define LPH_REPLACE true
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "another one\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
