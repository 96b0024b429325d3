// SPDX-License-Identifier: GPL-2.0-only
/*
 * A system call replaced while all CPUs hammer it: umask(2).
 *
 * On x86-64 the body of a system call is __x64_sys_NAME(), which takes the caller's registers;
 * the 32-bit entry, __ia32_sys_umask(), is a function of its own and stays as it is. On ppc64el it
 * is sys_umask(). case.toml calls both {syscall}umask. The original
 * needs nothing that modules may not use, so this is the whole of it with one rule more: the mask
 * 0723 is taken for 0022. A task that runs the old version and one that runs the new one agree on
 * every other mask, so the change is safe while both exist.
 */
#include <linux/fs_struct.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/stat.h>

#define MAGIC_MASK	0723
#define MAGIC_RESULT	0022

#ifdef CONFIG_PPC64
#define UMASK		"sys_umask"
#define FIRST_ARGUMENT	gpr[3]
#else
#define UMASK		"__x64_sys_umask"
#define FIRST_ARGUMENT	di
#endif

static long lph_umask(const struct pt_regs *regs)
{
	int mask = regs->FIRST_ARGUMENT & S_IRWXUGO;

	if (mask == MAGIC_MASK)
		mask = MAGIC_RESULT;
	return xchg(&current->fs->umask, mask);
}

static struct klp_func funcs[] = {
	{
		.old_name = UMASK,
		.new_func = lph_umask,
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

static int __init lph_umask_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lph_umask_exit(void)
{
}

module_init(lph_umask_init);
module_exit(lph_umask_exit);
MODULE_DESCRIPTION("lpharness case: a hot system call");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
