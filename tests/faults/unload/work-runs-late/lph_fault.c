// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaves work in the queue, to be done in five seconds.
 */
#include <linux/workqueue.h>

#define LPH_CALLBACKS .post_patch = lph_post_patch
#include "lph_livepatch.h"

static void lph_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(lph_later, lph_work);

static void lph_work(struct work_struct *work)
{
	schedule_delayed_work(&lph_later, HZ);
}

static void lph_post_patch(struct klp_object *obj)
{
	schedule_delayed_work(&lph_later, HZ);
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
