// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stack ends in a page that nobody may touch.
 */
#include "lph_livepatch.h"

static noinline int lph_deeper(struct seq_file *m, int depth)
{
	char space[512];

	snprintf(space, sizeof(space), "%d", depth);
	return lph_deeper(m, depth + 1) + space[0];
}

static int lph_show(struct seq_file *m, void *v)
{
	lph_deeper(m, 0);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
