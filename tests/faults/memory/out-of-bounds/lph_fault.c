// SPDX-License-Identifier: GPL-2.0-only
/*
 * One byte too many.
 */
#include <linux/slab.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	char *space = kmalloc(64, GFP_KERNEL);

	if (space)
		WRITE_ONCE(space[64], 1);
	kfree(space);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
