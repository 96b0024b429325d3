// SPDX-License-Identifier: GPL-2.0-only
/*
 * A timer whose function follows a NULL pointer.
 */
#include <linux/timer.h>

#include "lph_livepatch.h"

static void lph_tick(struct timer_list *timer)
{
	*(volatile int *)NULL = 1;
}

static DEFINE_TIMER(lph_timer, lph_tick);

static int lph_show(struct seq_file *m, void *v)
{
	mod_timer(&lph_timer, jiffies + 1);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
