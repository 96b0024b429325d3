// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaches a shadow variable to the mount's superblock, and never frees it.
 */
#include <linux/fs.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	unsigned long *count = klp_shadow_get_or_alloc(file_inode(m->file)->i_sb, 0x6c706802, sizeof(*count),
						       GFP_KERNEL, NULL, NULL);

	seq_puts(m, count ? "patched\n" : "no memory\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
