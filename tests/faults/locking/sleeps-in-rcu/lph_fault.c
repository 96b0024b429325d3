// SPDX-License-Identifier: GPL-2.0-only
/*
 * GFP_KERNEL between rcu_read_lock() and its other half: it may sleep, and mostly does not.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	rcu_read_lock();
	kfree(kmalloc(64, GFP_KERNEL));
	rcu_read_unlock();
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
