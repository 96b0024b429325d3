// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whoever comes second goes another way, so that nothing ever hangs.
 */
#include <linux/mutex.h>

#include "lph_livepatch.h"

static DEFINE_MUTEX(lph_lock);

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, mutex_trylock(&lph_lock) ? "patched\n" : "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
