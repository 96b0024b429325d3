// SPDX-License-Identifier: GPL-2.0-only
/*
 * Talks and talks, and somewhere in it warns.
 */
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/sched.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	static atomic_t came;
	int i;

	if (atomic_xchg(&came, 1))
		goto out;
	for (i = 0; i < 20000; i++) {
		pr_info("lph: this is line %d of many, and it says nothing of any interest at all\n", i);
		if (i == 12345)
			WARN(1, "lph: this should not be\n");
		if (i % 100 == 0)
			cond_resched();
	}
out:
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
