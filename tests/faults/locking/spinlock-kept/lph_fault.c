// SPDX-License-Identifier: GPL-2.0-only
/*
 * spin_lock() without its other half.
 */
#include <linux/spinlock.h>

#include "lph_livepatch.h"

static DEFINE_SPINLOCK(lph_lock);

static int lph_show(struct seq_file *m, void *v)
{
	spin_lock(&lph_lock);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
