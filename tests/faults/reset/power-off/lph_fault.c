// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel_power_off(), as at the end of a day.
 */
#include <linux/reboot.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	kernel_power_off();
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
