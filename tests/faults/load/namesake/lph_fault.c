// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/vmallocinfo is written by the third s_show; the first writes /proc/kallsyms.
 */
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "s_show", .old_sympos = 1, .new_func = lph_show });
