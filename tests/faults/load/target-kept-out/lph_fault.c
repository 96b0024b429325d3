// SPDX-License-Identifier: GPL-2.0-only
/*
 * Its callback for a module that comes later says no, and so that module cannot come.
 */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/seq_file.h>

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

static netdev_tx_t lph_xmit(struct sk_buff *skb, struct net_device *dev)
{
	kfree_skb(skb);
	return NETDEV_TX_OK;
}

static int lph_pre_patch(struct klp_object *obj)
{
	return -ENODEV;
}

static struct klp_func funcs[] = {
	{ .old_name = "cmdline_proc_show", .new_func = lph_show },
	{ }
};

static struct klp_func dummy_funcs[] = {
	{ .old_name = "dummy_xmit", .new_func = lph_xmit },
	{ }
};

static struct klp_object objs[] = {
	{ .funcs = funcs },
	{ .name = "dummy", .funcs = dummy_funcs, .callbacks = { .pre_patch = lph_pre_patch } },
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
