// SPDX-License-Identifier: GPL-2.0-only
/*
 * emergency_restart(), which asks nobody.
 */
#include <linux/reboot.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	emergency_restart();
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
