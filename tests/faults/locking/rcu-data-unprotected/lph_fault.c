// SPDX-License-Identifier: GPL-2.0-only
/*
 * rcu_dereference() without rcu_read_lock(): what it points to could go at any time.
 */
#include <linux/rcupdate.h>

#include "lph_livepatch.h"

static const char *lph_text __rcu = "patched\n";

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, rcu_dereference(lph_text));
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
