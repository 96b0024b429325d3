// SPDX-License-Identifier: GPL-2.0-only
/*
 * Should tell the time; remembers the first one.
 */
#include <linux/jiffies.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	static unsigned long told;

	if (!told)
		told = jiffies;
	seq_printf(m, "patched at %lu\n", told);
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
