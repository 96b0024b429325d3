// SPDX-License-Identifier: GPL-2.0-only
/*
 * mutex_unlock() without its other half.
 */
#include <linux/mutex.h>

#include "lph_livepatch.h"

static DEFINE_MUTEX(lph_lock);

static int lph_show(struct seq_file *m, void *v)
{
	mutex_unlock(&lph_lock);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
