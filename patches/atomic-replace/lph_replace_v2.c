// SPDX-License-Identifier: GPL-2.0-only
/*
 * The second of two cumulative patches. It replaces the first in one transition: /proc/cmdline
 * goes from the first patch's text to this one's, and /proc/version, which is no longer patched,
 * back to the kernel's own.
 */
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int lph_v2_cmdline_show(struct seq_file *m, void *v)
{
	seq_puts(m, "command line by v2\n");
	return 0;
}

static struct klp_func funcs[] = {
	{
		.old_name = "cmdline_proc_show",
		.new_func = lph_v2_cmdline_show,
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
		.version = 2,
	},
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
	.states = states,
	.replace = true,
};

static int __init lph_replace_v2_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lph_replace_v2_exit(void)
{
}

module_init(lph_replace_v2_init);
module_exit(lph_replace_v2_exit);
MODULE_DESCRIPTION("lpharness case: atomic replace, version 2");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
