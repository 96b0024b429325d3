// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts from 1 where it should from 0.
 */
#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	static const char text[] = "patched\n";
	size_t i;

	for (i = 1; i < sizeof(text) - 2; i++)
		seq_putc(m, text[i - 1]);
	seq_putc(m, '\n');
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
