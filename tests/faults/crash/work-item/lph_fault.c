// SPDX-License-Identifier: GPL-2.0-only
/*
 * It is done by a kernel thread, so whoever calls notices nothing.
 */
#include <linux/workqueue.h>

#include "lph_livepatch.h"

static void lph_do(struct work_struct *work)
{
	*(volatile int *)NULL = 1;
}

static DECLARE_WORK(lph_work, lph_do);

static int lph_show(struct seq_file *m, void *v)
{
	schedule_work(&lph_work);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
