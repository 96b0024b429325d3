// SPDX-License-Identifier: GPL-2.0-only
/*
 * get_pid() without put_pid(): the task ends, its struct pid stays.
 */
#include <linux/pid.h>
#include <linux/sched.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	get_pid(task_pid(current));
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
