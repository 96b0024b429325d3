// SPDX-License-Identifier: GPL-2.0-only
/*
 * rcu_read_lock() without its other half, and then it sleeps.
 */
#include <linux/delay.h>
#include <linux/rcupdate.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	rcu_read_lock();
	msleep(10);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
