// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing is heard of the machine any more.
 */
#include <linux/smp.h>

#include "lph_livepatch.h"

static void lph_spin(void *unused)
{
	for (;;)
		cpu_relax();
}

static int lph_show(struct seq_file *m, void *v)
{
	on_each_cpu(lph_spin, NULL, 0);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
