// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks to be told of network devices, and leaves without a word.
 */
#include <linux/netdevice.h>

#define LPH_CALLBACKS .post_patch = lph_post_patch
#include "lph_livepatch.h"

static int lph_told(struct notifier_block *block, unsigned long event, void *data)
{
	return NOTIFY_DONE;
}

static struct notifier_block lph_notifier = { .notifier_call = lph_told };

static void lph_post_patch(struct klp_object *obj)
{
	register_netdevice_notifier(&lph_notifier);
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
