// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls what the kernel does not export.
 */
#include "lph_livepatch.h"

int lph_nobody_has_this(void);

static int lph_show(struct seq_file *m, void *v)
{
	return lph_nobody_has_this();
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
