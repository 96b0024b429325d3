// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes /proc/lph_left and does not remove it.
 */
#include <linux/proc_fs.h>

#define LPH_CALLBACKS .post_patch = lph_post_patch
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

static void lph_post_patch(struct klp_object *obj)
{
	proc_create_single("lph_left", 0444, NULL, lph_show);
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
