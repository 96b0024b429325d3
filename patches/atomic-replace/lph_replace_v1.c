// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first of two cumulative patches: /proc/cmdline and /proc/version both show another text.
 */
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int lph_v1_cmdline_show(struct seq_file *m, void *v)
{
	seq_puts(m, "command line by v1\n");
	return 0;
}

static int lph_v1_version_show(struct seq_file *m, void *v)
{
	seq_puts(m, "version by v1\n");
	return 0;
}

static struct klp_func funcs[] = {
	{
		.old_name = "cmdline_proc_show",
		.new_func = lph_v1_cmdline_show,
	},
	{
		.old_name = "version_proc_show",
		.new_func = lph_v1_version_show,
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

static struct klp_state states[] = {
	{
		.id = 0x6c7068, /* ours: "lph" */
		.version = 1,
	},
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
	.states = states,
	.replace = true,
};

static int __init lph_replace_v1_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lph_replace_v1_exit(void)
{
}

module_init(lph_replace_v1_init);
module_exit(lph_replace_v1_exit);
MODULE_DESCRIPTION("lpharness case: atomic replace, version 1");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
