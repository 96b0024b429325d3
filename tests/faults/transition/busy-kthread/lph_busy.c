// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel thread that keeps CPU 1 to itself: it asks whether somebody else may run, and nobody may.
 * After a while it sleeps a jiffy each second, for the trial is to come to its end.
 */
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

static struct task_struct *thread;

static int lph_thread(void *unused)
{
	unsigned long until, busy = 15 * HZ;

	sched_set_fifo(current);
	while (!kthread_should_stop()) {
		until = jiffies + busy;
		while (!kthread_should_stop() && time_before(jiffies, until))
			cond_resched_tasks_rcu_qs();
		schedule_timeout_uninterruptible(1);
		busy = HZ;
	}
	return 0;
}

static int __init lph_busy_init(void)
{
	thread = kthread_create(lph_thread, NULL, "lph-thread");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	kthread_bind(thread, 1);
	wake_up_process(thread);
	return 0;
}

static void __exit lph_busy_exit(void)
{
	kthread_stop(thread);
}

module_init(lph_busy_init);
module_exit(lph_busy_exit);
MODULE_DESCRIPTION("lpharness fault: a busy kernel thread");
MODULE_LICENSE("GPL");
