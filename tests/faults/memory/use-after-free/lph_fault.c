// SPDX-License-Identifier: GPL-2.0-only
/*
 * kfree(), and then a look.
 */
#include <linux/slab.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	char *space = kmalloc(64, GFP_KERNEL);

	kfree(space);
	if (READ_ONCE(space[8]))
		barrier();
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
