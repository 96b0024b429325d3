// SPDX-License-Identifier: GPL-2.0-only
/*
 * klp_object.funcs is NULL, which the kernel refuses; an empty array it takes.
 */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static struct klp_object objs[] = {
	{ .name = "dummy" },
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
};

static int __init lph_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lph_exit(void)
{
}

module_init(lph_init);
module_exit(lph_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
