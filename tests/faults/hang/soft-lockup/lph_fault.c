// SPDX-License-Identifier: GPL-2.0-only
/*
 * A loop on one CPU, with interrupts on.
 */
#include <linux/preempt.h>
#include <linux/sched.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	preempt_disable();
	for (;;)
		cpu_relax();
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
