// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pointer to a function, which is NULL.
 */
#include "lph_livepatch.h"

static void (*volatile lph_nobody)(struct seq_file *m);

static int lph_show(struct seq_file *m, void *v)
{
	lph_nobody(m);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
