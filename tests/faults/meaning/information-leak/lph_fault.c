// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shows 64 bytes of which 8 are its own; behind them lies what is nobody's business.
 */
#include "lph_livepatch.h"

static const struct {
	char answer[8];
	char secret[56];
} lph_data = { "patched\n", "the key to everything" };

static int lph_show(struct seq_file *m, void *v)
{
	seq_write(m, lph_data.answer, sizeof(lph_data));
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
