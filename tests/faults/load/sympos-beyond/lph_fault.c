// SPDX-License-Identifier: GPL-2.0-only
/*
 * There is no ninth s_show.
 */
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "s_show", .old_sympos = 9, .new_func = lph_show });
