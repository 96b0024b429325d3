// SPDX-License-Identifier: GPL-2.0-only
/*
 * It need not deadlock: that it could is enough.
 */
#include <linux/mutex.h>

#include "lph_livepatch.h"

static DEFINE_MUTEX(lph_a);
static DEFINE_MUTEX(lph_b);

static int lph_show(struct seq_file *m, void *v)
{
	mutex_lock(&lph_a);
	mutex_lock(&lph_b);
	mutex_unlock(&lph_b);
	mutex_unlock(&lph_a);
	mutex_lock(&lph_b);
	mutex_lock(&lph_a);
	mutex_unlock(&lph_a);
	mutex_unlock(&lph_b);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
