// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel thread in vmlinux's own code, which nobody ever wakes or counts.
 */
#include <linux/kthread.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	static int made;

	if (made++ < 40)
		kthread_create(kthread_worker_fn, NULL, "lph-left/%d", made);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
