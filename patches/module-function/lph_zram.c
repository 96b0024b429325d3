// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function in a module replaced: disksize_show() of zram, which /sys/block/zramN/disksize calls.
 *
 * zram's own structures are private to it, so the size comes from the disk that they describe.
 */
#include <linux/blkdev.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/sysfs.h>

static ssize_t lph_disksize_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	u64 size = (u64)get_capacity(dev_to_disk(dev)) << SECTOR_SHIFT;

	return sysfs_emit(buf, "%llu bytes\n", size);
}

static struct klp_func funcs[] = {
	{
		.old_name = "disksize_show",
		.new_func = lph_disksize_show,
	},
	{ }
};

static struct klp_object objs[] = {
	{
		.name = "zram",
		.funcs = funcs,
	},
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
};

static int __init lph_zram_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lph_zram_exit(void)
{
}

module_init(lph_zram_init);
module_exit(lph_zram_exit);
MODULE_DESCRIPTION("lpharness case: a function in a module");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
