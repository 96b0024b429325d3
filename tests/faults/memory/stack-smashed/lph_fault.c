// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes past the end of a local array, over its own stack's canary.
 */
#include <linux/string.h>

#include "lph_livepatch.h"

static noinline void lph_fill(char *text, size_t size)
{
	OPTIMIZER_HIDE_VAR(text);
	while (size--)
		*text++ = 'a';
}

static int lph_show(struct seq_file *m, void *v)
{
	char text[16];

	lph_fill(text, sizeof(text) + 16);
	seq_write(m, text, sizeof(text));
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
