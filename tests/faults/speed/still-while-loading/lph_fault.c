// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes something for all CPUs at once, and takes its time.
 */
#include <linux/delay.h>

#define LPH_CALLBACKS .pre_patch = lph_pre_patch
#include "lph_livepatch.h"
#include "lph_work.h"

static int lph_pre_patch(struct klp_object *obj)
{
	int error = lph_stop_all(1000);

	msleep(500); /* so that it is told while the module is still being loaded */
	return error;
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
