// SPDX-License-Identifier: GPL-2.0-only
/*
 * local_irq_disable() without its other half.
 */
#include <linux/irqflags.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	local_irq_disable();
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
