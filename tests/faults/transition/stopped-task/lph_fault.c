// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replaces the function in which stopped tasks wait to be continued.
 */
#include "lph_livepatch.h"

static bool lph_signal_stop(int signr)
{
	return false;
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL,
	{ .old_name = "cmdline_proc_show", .new_func = lph_show },
	{ .old_name = "do_signal_stop", .new_func = lph_signal_stop });
