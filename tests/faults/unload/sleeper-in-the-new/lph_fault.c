// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whoever calls pause(2) while it is on stays in it, and nobody wakes them: not even the kernel,
 * which gives those a signal after 15 s who may be interrupted.
 */
#include <linux/sched.h>

#include "lph_livepatch.h"

static long lph_pause(const struct pt_regs *regs)
{
	for (;;)
		schedule_timeout_uninterruptible(HZ);
	return 0;
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL,
	{ .old_name = "cmdline_proc_show", .new_func = lph_show },
	{ .old_name = "__do_sys_pause", .new_func = lph_pause });
