// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replaces msleep(), in which somebody always sleeps.
 */
#include <linux/jiffies.h>
#include <linux/sched.h>

#include "lph_livepatch.h"

static void lph_msleep(unsigned int msecs)
{
	unsigned long timeout = msecs_to_jiffies(msecs) + 1;

	while (timeout)
		timeout = schedule_timeout_uninterruptible(timeout);
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL,
	{ .old_name = "cmdline_proc_show", .new_func = lph_show },
	{ .old_name = "msleep", .new_func = lph_msleep });
