// SPDX-License-Identifier: GPL-2.0-only
/* The module that livepatches are waiting for: it shows what its function answers. */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

static int original;

/* What it answers is not to be known to its caller when it is compiled. */
static noinline int lph_target_answer(void)
{
	return READ_ONCE(original);
}

static int show_answer(char *buffer, const struct kernel_param *parameter)
{
	return sysfs_emit(buffer, "%d\n", lph_target_answer());
}

static const struct kernel_param_ops answer_ops = { .get = show_answer };
module_param_cb(answer, &answer_ops, NULL, 0444);

static int __init lph_target_init(void)
{
	return 0;
}

static void __exit lph_target_exit(void)
{
}

module_init(lph_target_init);
module_exit(lph_target_exit);
MODULE_DESCRIPTION("lpharness: a target of livepatches");
MODULE_LICENSE("GPL");
