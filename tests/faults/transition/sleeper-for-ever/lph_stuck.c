// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fault planted: tasks sleep in pause(2) while it is replaced, and nobody wakes them.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

static long lph_stuck(const struct pt_regs *regs)
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
		.new_func = lph_stuck,
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

static int __init lph_stuck_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lph_stuck_exit(void)
{
}

module_init(lph_stuck_init);
module_exit(lph_stuck_exit);
MODULE_DESCRIPTION("lpharness fault: the transition cannot end");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
