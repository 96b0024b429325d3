// SPDX-License-Identifier: GPL-2.0-only
/*
 * Says where it is.
 */
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v);

static int lph_show(struct seq_file *m, void *v)
{
	seq_printf(m, "patched by %px\n", lph_show);
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
