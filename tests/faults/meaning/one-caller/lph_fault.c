// SPDX-License-Identifier: GPL-2.0-only
/*
 * Right for all but one.
 */
#include <linux/sched.h>
#include <linux/string.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, strcmp(current->comm, "lphd") ? "patched\n" : "unpatched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
