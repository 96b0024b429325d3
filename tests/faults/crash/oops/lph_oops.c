// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fault planted: the new function follows a NULL pointer. The task that reads /proc/cmdline dies
 * in the kernel; the kernel itself goes on.
 */
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int lph_oops_proc_show(struct seq_file *m, void *v)
{
	return READ_ONCE(*(int *)NULL);
}

static struct klp_func funcs[] = {
	{
		.old_name = "cmdline_proc_show",
		.new_func = lph_oops_proc_show,
	},
	{ }
};

static struct klp_object objs[] = {
	{
		.name = NULL, /* vmlinux */
		.funcs = funcs,
	},
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
};

static int __init lph_oops_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lph_oops_exit(void)
{
}

module_init(lph_oops_init);
module_exit(lph_oops_exit);
MODULE_DESCRIPTION("lpharness fault: the new function oopses");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
