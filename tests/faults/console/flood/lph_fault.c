// SPDX-License-Identifier: GPL-2.0-only
/*
 * Talks and talks: some hours, at the speed of an emulated serial port.
 */
#include <linux/atomic.h>
#include <linux/sched.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	static atomic_t came;
	int i;

	if (atomic_xchg(&came, 1))
		goto out;
	for (i = 0; i < 1250000; i++) {
		pr_info("lph: this is line %d of many, and it says nothing of any interest at all\n", i);
		if (i % 100 == 0)
			cond_resched();
	}
out:
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
