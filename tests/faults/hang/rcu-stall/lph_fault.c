// SPDX-License-Identifier: GPL-2.0-only
/*
 * Somebody waits to free something, and it goes round in a loop.
 */
#include <linux/ktime.h>
#include <linux/rcupdate.h>

#include "lph_livepatch.h"

static struct rcu_head lph_waiting;

static void lph_free(struct rcu_head *head)
{
}

static int lph_show(struct seq_file *m, void *v)
{
	ktime_t until = ktime_add_ms(ktime_get(), 10000);

	call_rcu(&lph_waiting, lph_free);
	rcu_read_lock();
	while (ktime_before(ktime_get(), until))
		cpu_relax();
	rcu_read_unlock();
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
