// SPDX-License-Identifier: GPL-2.0-only
/*
 * A timer that fires on this CPU meanwhile would wait for ever. It mostly fires at another time.
 */
#include <linux/delay.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

#include "lph_livepatch.h"

static DEFINE_SPINLOCK(lph_lock);

static void lph_tick(struct timer_list *timer)
{
	spin_lock(&lph_lock);
	spin_unlock(&lph_lock);
}

static DEFINE_TIMER(lph_timer, lph_tick);

static int lph_show(struct seq_file *m, void *v)
{
	spin_lock(&lph_lock);
	spin_unlock(&lph_lock);
	mod_timer(&lph_timer, jiffies + 1);
	msleep(50);
	del_timer_sync(&lph_timer);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
