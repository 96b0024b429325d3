// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whoever reads /proc/lph_wait sleeps for an hour, and no signal wakes him.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

static int lph_wait_show(struct seq_file *m, void *v)
{
	msleep(3600 * 1000);
	return 0;
}

static int __init lph_wait_init(void)
{
	return proc_create_single("lph_wait", 0444, NULL, lph_wait_show) ? 0 : -ENOMEM;
}

static void __exit lph_wait_exit(void)
{
	remove_proc_entry("lph_wait", NULL);
}

module_init(lph_wait_init);
module_exit(lph_wait_exit);
MODULE_DESCRIPTION("lpharness fault: a reader that cannot be woken");
MODULE_LICENSE("GPL");
