// SPDX-License-Identifier: GPL-2.0-only
/*
 * Three functions are called s_show.
 */
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "s_show", .new_func = lph_show });
