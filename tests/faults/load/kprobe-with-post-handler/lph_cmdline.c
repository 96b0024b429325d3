// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /proc/cmdline shows is replaced: the smallest patch whose effect anybody can see.
 *
 * cmdline_proc_show() in fs/proc/cmdline.c is the only user of its name in the kernel.
 */
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int lph_cmdline_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "this kernel has been live patched\n");
	return 0;
}

static struct klp_func funcs[] = {
	{
		.old_name = "cmdline_proc_show",
		.new_func = lph_cmdline_proc_show,
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

static int __init lph_cmdline_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lph_cmdline_exit(void)
{
}

module_init(lph_cmdline_init);
module_exit(lph_cmdline_exit);
MODULE_DESCRIPTION("lpharness case: /proc/cmdline replaced");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
