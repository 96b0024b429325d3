// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets CPU 1 loop with its interrupts off for a second: no lockup detector minds.
 */
#include <linux/smp.h>

#include "lph_livepatch.h"
#include "lph_work.h"

static void lph_wait(void *unused)
{
	lph_work(1000);
}

static int lph_show(struct seq_file *m, void *v)
{
	static atomic_t calls;

	/* Nobody waits for it: who did could not be preempted meanwhile. */
	if (atomic_inc_return(&calls) == 1)
		smp_call_function_single(1, lph_wait, NULL, 0);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
