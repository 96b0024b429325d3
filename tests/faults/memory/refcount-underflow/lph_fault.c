// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drops a reference that it does not have.
 */
#include <linux/refcount.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	static refcount_t users = REFCOUNT_INIT(1);
	bool last = refcount_dec_and_test(&users);

	last |= refcount_dec_and_test(&users);
	seq_puts(m, last ? "patched\n" : "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
