// SPDX-License-Identifier: GPL-2.0-only
/*
 * GFP_KERNEL under a spinlock: it may sleep, and mostly does not.
 */
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "lph_livepatch.h"

static DEFINE_SPINLOCK(lph_lock);

static int lph_show(struct seq_file *m, void *v)
{
	spin_lock(&lph_lock);
	kfree(kmalloc(64, GFP_KERNEL));
	spin_unlock(&lph_lock);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
