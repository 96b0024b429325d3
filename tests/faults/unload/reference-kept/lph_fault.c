// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nobody gives the reference back, so it can never be unloaded.
 */
#define LPH_CALLBACKS .post_patch = lph_post_patch
#include "lph_livepatch.h"

static void lph_post_patch(struct klp_object *obj)
{
	__module_get(THIS_MODULE);
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
