// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function that is always on some task's stack: pause(2), while tasks are parked in it.
 *
 * No task may move to the new code while the old function is on its stack, so the transition
 * waits for every sleeper to leave. The new version does what the old one does; what tells them
 * apart is where a task sleeps, which /proc/PID/wchan names.
 *
 * A system call without arguments has one body under three names (__do_sys_, __ia32_sys_ and
 * __x64_sys_pause: SYSCALL_DEFINE0 in arch/x86/include/asm/syscall_wrapper.h). The first of them
 * is what stacks and enabled_functions show.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

static long lph_pause(const struct pt_regs *regs)
{
	while (!signal_pending(current)) {
		__set_current_state(TASK_INTERRUPTIBLE);
		schedule();
	}
	return -ERESTARTNOHAND;
}

static struct klp_func funcs[] = {
	{
		.old_name = "__do_sys_pause",
		.new_func = lph_pause,
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

static int __init lph_pause_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lph_pause_exit(void)
{
}

module_init(lph_pause_init);
module_exit(lph_pause_exit);
MODULE_DESCRIPTION("lpharness case: a transition that must wait");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
