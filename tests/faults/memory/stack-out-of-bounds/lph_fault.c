// SPDX-License-Identifier: GPL-2.0-only
/*
 * One byte too far: it is on the stack, so that nothing else notices.
 */
#include <linux/string.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	char text[10] = "patched\n";
	char *end = text + sizeof(text);

	OPTIMIZER_HIDE_VAR(end);
	if (READ_ONCE(*end))
		barrier();
	seq_puts(m, text);
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
