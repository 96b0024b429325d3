// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmalloc() without kfree(), and the address is forgotten.
 */
#include <linux/slab.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	if (!kmalloc(128, GFP_KERNEL))
		return -ENOMEM;
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
