// SPDX-License-Identifier: GPL-2.0-only
/*
 * A probe on one function that counts its hits: a kprobe, with a post handler or without, or a
 * kretprobe. The kernel's answer to the registration is the module's: it loads, or it is refused.
 *
 * A kprobe with a post handler single-steps the instruction that was there, so it must be the only
 * one to change where the function goes on (IPMODIFY, kernel/kprobes.c): as a livepatch must be.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

static char *symbol = "";
module_param(symbol, charp, 0444);
MODULE_PARM_DESC(symbol, "function to probe");

static char *kind = "kprobe";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "kprobe, post (with a post handler) or kretprobe");

static ulong hits;
module_param(hits, ulong, 0444);
MODULE_PARM_DESC(hits, "how often it was hit");

static DEFINE_SPINLOCK(lock);

static void count(void)
{
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	hits++;
	spin_unlock_irqrestore(&lock, flags);
}
NOKPROBE_SYMBOL(count);

static int entered(struct kprobe *probe, struct pt_regs *regs)
{
	count();
	return 0;
}
NOKPROBE_SYMBOL(entered);

static void stepped(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}
NOKPROBE_SYMBOL(stepped);

static int returned(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	count();
	return 0;
}
NOKPROBE_SYMBOL(returned);

static struct kprobe probe = { .pre_handler = entered };
static struct kretprobe on_return = { .handler = returned, .maxactive = 64 };

static bool is_on_return(void)
{
	return !strcmp(kind, "kretprobe");
}

static int __init lph_probe_init(void)
{
	if (is_on_return()) {
		on_return.kp.symbol_name = symbol;
		return register_kretprobe(&on_return);
	}
	probe.symbol_name = symbol;
	if (!strcmp(kind, "post"))
		probe.post_handler = stepped;
	return register_kprobe(&probe);
}

static void __exit lph_probe_exit(void)
{
	if (is_on_return())
		unregister_kretprobe(&on_return);
	else
		unregister_kprobe(&probe);
}

module_init(lph_probe_init);
module_exit(lph_probe_exit);
MODULE_DESCRIPTION("lpharness: a probe that counts");
MODULE_LICENSE("GPL");
