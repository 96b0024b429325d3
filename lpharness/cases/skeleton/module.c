// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replace cmdline_proc_show(), which /proc/cmdline calls. Put your own function in its place: it
 * must have the prototype of the one that it replaces.
 */
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int @module@_cmdline_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched by @module@\n");
	return 0;
}

static struct klp_func funcs[] = {
	{
		.old_name = "cmdline_proc_show",
		.new_func = @module@_cmdline_proc_show,
		/* .old_sympos = 1, if the object has several functions of that name */
	},
	{ }
};

static struct klp_object objs[] = {
	{
		.name = NULL, /* vmlinux; or a module's name */
		.funcs = funcs,
	},
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
};

static int __init @module@_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit @module@_exit(void)
{
}

module_init(@module@_init);
module_exit(@module@_exit);
MODULE_DESCRIPTION("livepatch @module@");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
