// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fault planted: the new umask(2) does what the old one does, so that the promised change of
 * behaviour never comes, though the kernel redirects every call.
 */
#include <linux/fs_struct.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/stat.h>

static long lph_same(const struct pt_regs *regs)
{
	return xchg(&current->fs->umask, regs->di & S_IRWXUGO);
}

static struct klp_func funcs[] = {
	{
		.old_name = "__x64_sys_umask",
		.new_func = lph_same,
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

static int __init lph_same_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lph_same_exit(void)
{
}

module_init(lph_same_init);
module_exit(lph_same_exit);
MODULE_DESCRIPTION("lpharness fault: nothing changes");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
