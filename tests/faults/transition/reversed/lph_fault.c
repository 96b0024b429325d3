// SPDX-License-Identifier: GPL-2.0-only
/*
 * Good in itself; the sleeper's pause(2) holds it up until it is reversed.
 */
#include <linux/errno.h>
#include <linux/sched/signal.h>

#include "lph_livepatch.h"

static long lph_pause(const struct pt_regs *regs)
{
	while (!signal_pending(current)) {
		__set_current_state(TASK_INTERRUPTIBLE);
		schedule();
	}
	return -ERESTARTNOHAND;
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL,
	{ .old_name = "cmdline_proc_show", .new_func = lph_show },
	{ .old_name = "__do_sys_pause", .new_func = lph_pause });
