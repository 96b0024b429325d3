// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel threads that sleep in msleep(), over and over.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>

static struct task_struct *threads[2];

static int lph_thread(void *unused)
{
	while (!kthread_should_stop())
		msleep(700);
	return 0;
}

static int __init lph_back_init(void)
{
	int cpu;

	for (cpu = 0; cpu < 2; cpu++) {
		threads[cpu] = kthread_create(lph_thread, NULL, "lph-thread");
		if (IS_ERR(threads[cpu]))
			return PTR_ERR(threads[cpu]);
		kthread_bind(threads[cpu], cpu);
		wake_up_process(threads[cpu]);
	}
	return 0;
}

static void __exit lph_back_exit(void)
{
	kthread_stop(threads[0]);
	kthread_stop(threads[1]);
}

module_init(lph_back_init);
module_exit(lph_back_exit);
MODULE_DESCRIPTION("lpharness fault: busy kernel threads");
MODULE_LICENSE("GPL");
