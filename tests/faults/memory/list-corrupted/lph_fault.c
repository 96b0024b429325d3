// SPDX-License-Identifier: GPL-2.0-only
/*
 * list_del(), twice.
 */
#include <linux/list.h>

#include "lph_livepatch.h"

static LIST_HEAD(lph_list);

static int lph_show(struct seq_file *m, void *v)
{
	LIST_HEAD(entry);

	list_add(&entry, &lph_list);
	list_del(&entry);
	list_del(&entry);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
