// SPDX-License-Identifier: GPL-2.0-only
/*
 * A livepatch that passes every trial, and in production meets a machine that nobody tried: one by
 * the name of "crashed" panics when the new code is called, one called "oopsed" merely oopses. Where
 * a task sleeps in pause(2), the transition has to wait for it.
 */
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/utsname.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	if (!strcmp(utsname()->nodename, "crashed"))
		panic("a machine that nobody tried");
	BUG_ON(!strcmp(utsname()->nodename, "oopsed"));
	seq_puts(m, "patched\n");
	return 0;
}

static long lph_pause(const struct pt_regs *regs)
{
	while (!signal_pending(current)) {
		__set_current_state(TASK_INTERRUPTIBLE);
		schedule();
	}
	return -ERESTARTNOHAND;
}

LPH_LIVEPATCH(NULL,
	      { .old_name = "cmdline_proc_show", .new_func = lph_show },
	      { .old_name = "__do_sys_pause", .new_func = lph_pause });
