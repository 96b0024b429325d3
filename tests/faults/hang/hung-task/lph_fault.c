// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whoever comes first sleeps, and no signal wakes him.
 */
#include <linux/atomic.h>
#include <linux/sched.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	static atomic_t came;

	if (!atomic_xchg(&came, 1))
		schedule_timeout_uninterruptible(MAX_SCHEDULE_TIMEOUT);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
