// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two tasks share one buffer.
 */
#include <linux/delay.h>
#include <linux/sched.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	static char shared[32];
	int i;

	for (i = 0; i < 24; i++) {
		shared[i] = 'a' + current->pid % 26;
		udelay(20);
	}
	for (i = 1; i < 24; i++)
		if (shared[i] != shared[0])
			break;
	seq_puts(m, i == 24 ? "patched\n" : "mixed\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
