// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel warns, but nothing of it reaches the console; the taint stays.
 */
#include <linux/bug.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	WARN_ONCE(1, "lph: nobody hears this\n");
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
