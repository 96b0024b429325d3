// SPDX-License-Identifier: GPL-2.0-only
/*
 * Forgets what it is for.
 */
#include <linux/jiffies.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	static unsigned long since;

	if (!since)
		since = jiffies;
	seq_puts(m, time_before(jiffies, since + 60 * HZ) ? "patched\n" : "forgotten\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
