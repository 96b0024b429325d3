/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a call costs: of lph_timed(), which the patch replaces, and of its twin, which it leaves.
 *
 * As long as the module is there a thread calls each of them a thousand times in a row, fifty times
 * a second, and writes down how long that took: so some of these bursts fall into whatever
 * happens meanwhile. Nobody can be found within the functions, since preemption is off, and the two
 * differ in nothing but a comment, lest the compiler make one of them.
 *
 * /proc/lph_contract_calls has fields with a tab between; times are in nanoseconds, AT is of
 * CLOCK_BOOTTIME:
 *
 *	calls	HOW_MANY		in each burst
 *	burst	AT CLOCK TIMED TWIN	CLOCK: what reading it takes, which is in the other two as well
 */
#ifndef LPH_TIMED_H
#define LPH_TIMED_H

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/preempt.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#define LPH_CALLS 1000
#define LPH_APART_US 20000
#define LPH_MOST_BURSTS 16384U	/* five minutes; what comes later is not told */

struct lph_burst {
	u64 at;
	u64 clock, timed, twin;
};

static struct {
	struct lph_burst *bursts;
	unsigned int count;
	struct task_struct *thread;
	void (*wipe)(void);	/* takes off the stack what a call leaves there, and looks like one */
} lph_timing;

unsigned long lph_timed(unsigned long value);
unsigned long lph_twin(unsigned long value);

noinline __noclone unsigned long lph_timed(unsigned long value)
{
	asm volatile("# timed" : "+r" (value));
	return value;
}

noinline __noclone unsigned long lph_twin(unsigned long value)
{
	asm volatile("# its twin" : "+r" (value));
	return value;
}

static noinline void lph_call_in_a_row(struct lph_burst *burst)
{
	u64 began, clock_read, twins_called, all_called;
	unsigned int i;

	preempt_disable();
	burst->at = ktime_get_boottime_ns();
	began = ktime_get_mono_fast_ns();
	clock_read = ktime_get_mono_fast_ns();
	for (i = 0; i < LPH_CALLS; i++)
		lph_twin(i);
	twins_called = ktime_get_mono_fast_ns();
	for (i = 0; i < LPH_CALLS; i++)
		lph_timed(i);
	all_called = ktime_get_mono_fast_ns();
	preempt_enable();
	burst->clock = clock_read - began;
	burst->twin = twins_called - clock_read;
	burst->timed = all_called - twins_called;
}

static int lph_time_calls(void *unused)
{
	while (!kthread_should_stop()) {
		if (lph_timing.count < LPH_MOST_BURSTS) {
			lph_call_in_a_row(&lph_timing.bursts[lph_timing.count]);
			smp_store_release(&lph_timing.count, lph_timing.count + 1);
		}
		lph_timing.wipe();
		usleep_range(LPH_APART_US, LPH_APART_US + 1000);
	}
	return 0;
}

/* --- /proc/lph_contract_calls ----------------------------------------------------------------- */

/* Place 0 is the head, each burst one more. */
static void *lph_calls_place(loff_t pos)
{
	unsigned int count = smp_load_acquire(&lph_timing.count);

	return pos <= count ? (void *)(unsigned long)(pos + 1) : NULL;
}

static void *lph_calls_start(struct seq_file *m, loff_t *pos)
{
	return lph_calls_place(*pos);
}

static void *lph_calls_next(struct seq_file *m, void *v, loff_t *pos)
{
	return lph_calls_place(++*pos);
}

static void lph_calls_stop(struct seq_file *m, void *v)
{
}

static int lph_calls_show(struct seq_file *m, void *v)
{
	unsigned long place = (unsigned long)v - 1;
	const struct lph_burst *burst;

	if (!place) {
		seq_printf(m, "calls\t%u\n", LPH_CALLS);
		return 0;
	}
	burst = &lph_timing.bursts[place - 1];
	seq_printf(m, "burst\t%llu\t%llu\t%llu\t%llu\n", burst->at, burst->clock, burst->timed,
		   burst->twin);
	return 0;
}

static const struct seq_operations lph_calls_operations = {
	.start = lph_calls_start,
	.next = lph_calls_next,
	.stop = lph_calls_stop,
	.show = lph_calls_show,
};

/* --- its begin and end ------------------------------------------------------------------------ */

static void lph_timing_end(void)
{
	remove_proc_entry("lph_contract_calls", NULL);
	kthread_stop(lph_timing.thread);
	vfree(lph_timing.bursts);
}

static int lph_timing_begin(void (*wipe)(void))
{
	lph_timing.wipe = wipe;
	lph_timing.bursts = vzalloc(array_size(LPH_MOST_BURSTS, sizeof(*lph_timing.bursts)));
	if (!lph_timing.bursts)
		return -ENOMEM;
	lph_timing.thread = kthread_run(lph_time_calls, NULL, "lph-timed");
	if (IS_ERR(lph_timing.thread)) {
		vfree(lph_timing.bursts);
		return PTR_ERR(lph_timing.thread);
	}
	if (!proc_create_seq("lph_contract_calls", 0400, NULL, &lph_calls_operations)) {
		kthread_stop(lph_timing.thread);
		vfree(lph_timing.bursts);
		return -ENOMEM;
	}
	return 0;
}

#endif
