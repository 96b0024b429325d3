// SPDX-License-Identifier: GPL-2.0-only
/*
 * WARN(), and goes on.
 */
#include <linux/bug.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	WARN(1, "lph: this should not be\n");
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
