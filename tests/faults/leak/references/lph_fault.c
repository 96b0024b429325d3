// SPDX-License-Identifier: GPL-2.0-only
/*
 * get_task_struct() without put_task_struct(): the task ends, its task_struct stays.
 */
#include <linux/sched/task.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	get_task_struct(current);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
