/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the livepatches of the random sequences are made of.
 *
 * pause(2) is the function that tasks sleep in: no libc and no program of the guest calls it. Each
 * version answers a call with a magic argument (the system call has none, so the original ignores
 * it) by its own number, and sleeps as the original does otherwise.
 */
#ifndef LPH_RANDOM_H
#define LPH_RANDOM_H

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#define LPH_MAGIC	0x6c706872UL

#define LPH_PAUSE(name, number)						\
	static long name##_pause(const struct pt_regs *regs)		\
	{								\
		if (regs->di == LPH_MAGIC)				\
			return number;					\
		while (!signal_pending(current)) {			\
			__set_current_state(TASK_INTERRUPTIBLE);	\
			schedule();					\
		}							\
		return -ERESTARTNOHAND;					\
	}

#define LPH_ANSWER(name, number)					\
	static int name##_answer(void)					\
	{								\
		return number;						\
	}

static int fail;
module_param(fail, int, 0644);
MODULE_PARM_DESC(fail, "errno of pre_patch for vmlinux");

static int fail_target;
module_param(fail_target, int, 0644);
MODULE_PARM_DESC(fail_target, "errno of pre_patch for the target module");

static int warn;
module_param(warn, int, 0444);
MODULE_PARM_DESC(warn, "whether pre_patch for vmlinux warns, as a kernel that is not well does");

static void tell(struct klp_object *object, const char *what)
{
	pr_info("lph-callback: %s %s %s\n", THIS_MODULE->name, object->name ?: "vmlinux", what);
}

static int __maybe_unused pre_patch(struct klp_object *object)
{
	tell(object, "pre_patch");
	WARN_ON(warn && !object->name);
	return object->name ? -fail_target : -fail;
}

static void __maybe_unused post_patch(struct klp_object *object)
{
	tell(object, "post_patch");
}

static void __maybe_unused pre_unpatch(struct klp_object *object)
{
	tell(object, "pre_unpatch");
}

static void __maybe_unused post_unpatch(struct klp_object *object)
{
	tell(object, "post_unpatch");
}

#define LPH_CALLBACKS							\
	.callbacks = {							\
		.pre_patch = pre_patch,					\
		.post_patch = post_patch,				\
		.pre_unpatch = pre_unpatch,				\
		.post_unpatch = post_unpatch,				\
	}

#define LPH_MODULE(patch)						\
	static int __init lph_init(void)				\
	{								\
		return klp_enable_patch(&patch);			\
	}								\
	static void __exit lph_exit(void)				\
	{								\
	}								\
	module_init(lph_init);						\
	module_exit(lph_exit);						\
	MODULE_DESCRIPTION("lpharness: a livepatch of the random sequences");	\
	MODULE_LICENSE("GPL");						\
	MODULE_INFO(livepatch, "Y")

#endif /* LPH_RANDOM_H */
