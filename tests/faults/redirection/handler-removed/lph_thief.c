// SPDX-License-Identifier: GPL-2.0-only
/*
 * Learns of livepatch's ftrace_ops while they are registered, and unregisters them when it leaves.
 */
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/module.h>

static struct ftrace_ops *seen;

static int lph_registered(struct kprobe *probe, struct pt_regs *regs)
{
	seen = (struct ftrace_ops *)regs->di;
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "register_ftrace_function",
	.pre_handler = lph_registered,
};

static int __init lph_thief_init(void)
{
	return register_kprobe(&probe);
}

static void __exit lph_thief_exit(void)
{
	unregister_kprobe(&probe);
	if (seen)
		unregister_ftrace_function(seen);
}

module_init(lph_thief_init);
module_exit(lph_thief_exit);
MODULE_LICENSE("GPL");
