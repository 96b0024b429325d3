// SPDX-License-Identifier: GPL-2.0-only
/*
 * A callback that follows a NULL pointer, in the process that loads the module.
 */
#define LPH_CALLBACKS .pre_patch = lph_pre_patch
#include "lph_livepatch.h"

static int lph_pre_patch(struct klp_object *obj)
{
	return *(volatile int *)NULL;
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
