// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kprobe with a post handler, which takes ftrace's IPMODIFY for itself.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

static void lph_post(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe probe = {
	.symbol_name = "cmdline_proc_show",
	.post_handler = lph_post,
};

static int __init lph_probe_init(void)
{
	return register_kprobe(&probe);
}

static void __exit lph_probe_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(lph_probe_init);
module_exit(lph_probe_exit);
MODULE_DESCRIPTION("lpharness fault: a kprobe with a post handler");
MODULE_LICENSE("GPL");
