// SPDX-License-Identifier: GPL-2.0-only
/*
 * A per-CPU variable: kallsyms lists it, and knows no size at its address.
 * The name is set at run time, where no inspection sees it.
 */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

static struct klp_func funcs[] = {
	{ .new_func = lph_show },
	{ }
};

static struct klp_object objs[] = {
	{ .funcs = funcs },
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
};

static int __init lph_init(void)
{
	funcs[0].old_name = "irq_stack_backing_store";
	return klp_enable_patch(&patch);
}

static void __exit lph_exit(void)
{
}

module_init(lph_init);
module_exit(lph_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
