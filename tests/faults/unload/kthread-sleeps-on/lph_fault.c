// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starts a kernel thread and leaves without it; it will crash when it wakes, in an hour.
 */
#include <linux/delay.h>
#include <linux/kthread.h>

#define LPH_CALLBACKS .post_patch = lph_post_patch
#include "lph_livepatch.h"

static int lph_thread(void *unused)
{
	ssleep(3600);
	return 0;
}

static void lph_post_patch(struct klp_object *obj)
{
	kthread_run(lph_thread, NULL, "lph_thread");
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
