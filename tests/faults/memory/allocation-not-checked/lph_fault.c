// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmalloc() never fails, or so it seems: the case lets those of its size fail.
 */
#include <linux/slab.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	char *space = kmalloc(8192, GFP_KERNEL);

	WRITE_ONCE(space[0], 1);
	kfree(space);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
