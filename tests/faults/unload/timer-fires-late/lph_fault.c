// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets a timer and leaves without stopping it.
 */
#include <linux/timer.h>

#define LPH_CALLBACKS .post_patch = lph_post_patch
#include "lph_livepatch.h"

static void lph_tick(struct timer_list *timer)
{
	mod_timer(timer, jiffies + HZ);
}

static DEFINE_TIMER(lph_timer, lph_tick);

static void lph_post_patch(struct klp_object *obj)
{
	mod_timer(&lph_timer, jiffies + HZ);
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
