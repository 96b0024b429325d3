// SPDX-License-Identifier: GPL-2.0
/*
 * Harms the kernel it is loaded into, in the way that the parameter names. For guests only: what
 * their consoles say of it are the recordings beside this folder.
 */
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/sched.h>

static char *how = "";
module_param(how, charp, 0);

static noinline void crash_null(void)
{
	*(volatile int *)0 = 1;
}

static noinline void crash_gp(void)
{
	*(volatile int *)0xdead000000000100UL = 1;
}

static noinline void crash_bug(void)
{
	BUG();
}

static noinline void crash_warn(void)
{
	WARN(1, "a warning on purpose\n");
}

static noinline void crash_list(void)
{
	LIST_HEAD(head);
	struct list_head entry;

	list_add(&entry, &head);
	entry.prev = &entry;
	list_del(&entry);
}

static noinline void crash_refcount(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
}

static noinline void crash_atomic(void)
{
	preempt_disable();
	schedule();
	preempt_enable();
}

static noinline void crash_spin(int seconds)
{
	unsigned long end = jiffies + seconds * HZ;

	preempt_disable();
	while (time_before(jiffies, end))
		cpu_relax();
	preempt_enable();
}

static noinline void crash_hang(void)
{
	DECLARE_COMPLETION_ONSTACK(never);

	wait_for_completion_timeout(&never, 25 * HZ);
}

static noinline int crash_recurse(volatile char *above)
{
	volatile char frame[512];

	frame[0] = above[0];
	return crash_recurse(frame) + frame[1];
}

static int __init lphcrash_init(void)
{
	volatile char top = 0;

	if (!strcmp(how, "null"))
		crash_null();
	else if (!strcmp(how, "gp"))
		crash_gp();
	else if (!strcmp(how, "bug"))
		crash_bug();
	else if (!strcmp(how, "warn"))
		crash_warn();
	else if (!strcmp(how, "list"))
		crash_list();
	else if (!strcmp(how, "refcount"))
		crash_refcount();
	else if (!strcmp(how, "atomic"))
		crash_atomic();
	else if (!strcmp(how, "soft"))
		crash_spin(60);
	else if (!strcmp(how, "rcu"))
		crash_spin(14);
	else if (!strcmp(how, "hang"))
		crash_hang();
	else if (!strcmp(how, "stack"))
		crash_recurse(&top);
	return -EAGAIN; /* never stays loaded */
}
module_init(lphcrash_init);
MODULE_DESCRIPTION("Harms a guest on purpose");
MODULE_LICENSE("GPL");
