// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stops the machine for 300 ms each time.
 */
#include "lph_livepatch.h"
#include "lph_work.h"

static int lph_show(struct seq_file *m, void *v)
{
	lph_stop_all(300);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
