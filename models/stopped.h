/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Ksplice and kpatch have in common: the machine is stopped, every task looked at, the kernel
 * switched if nobody is in the way; again a few times, then no more.
 */
#ifndef LPH_STOPPED_H
#define LPH_STOPPED_H

#include "core.h"

#include <linux/sched/signal.h>
#include <linux/stop_machine.h>
#include <linux/timekeeping.h>

struct lph_stopping {
	/* Looks at one task of the stopped machine; notes it as a blocker if it is in the way. */
	void (*check)(struct lph_patch *patch, struct task_struct *task,
		      struct lph_attempt *attempt);
	unsigned int tries, apart_ms;
	bool first_only;	/* gives up at the first task in the way */
};

struct stop {
	struct lph_patch *patch;
	const struct lph_stopping *how;
	struct lph_attempt *attempt;
	const struct task_struct *self;	/* who stops the machine, and waits for it */
};

static bool enough(const struct stop *stop)
{
	return stop->how->first_only && stop->attempt->blocked;
}

static void look_at(const struct stop *stop, struct task_struct *task)
{
	/* Stopper threads run, this one and one on each other CPU, and call nothing of a patch. */
	if (task->on_cpu || task == stop->self || enough(stop))
		return;
	stop->attempt->tasks++;
	stop->how->check(stop->patch, task, stop->attempt);
}

/* The kernel is switched as a whole: whoever calls gets what all get. */
static bool notrace lph_all_call_new(void)
{
	return lph_current_version() == LPH_NEW;
}

/* All other CPUs spin with interrupts off: nobody runs who could come into the old code. */
static int while_stopped(void *data)
{
	const struct stop *stop = data;
	struct task_struct *process, *task;
	int cpu;

	stop->attempt->stop_began = ktime_get_boot_fast_ns();
	rcu_read_lock();
	for_each_process_thread(process, task)
		look_at(stop, task);
	rcu_read_unlock();
	for_each_online_cpu(cpu)
		look_at(stop, lph_kernel.idle_task(cpu));
	if (!stop->attempt->blocked)
		lph_set_version(lph_target());
	stop->attempt->stop_ended = ktime_get_boot_fast_ns();
	return stop->attempt->blocked ? -EBUSY : 0;
}

static noinline __noclone int lph_try_complete_transition(struct lph_patch *patch,
							  const struct lph_stopping *how)
{
	struct stop stop = {
		.patch = patch,
		.how = how,
		.attempt = lph_new_attempt(),
		.self = current,
	};
	int error;

	error = stop_machine(while_stopped, &stop, NULL);
	stop.attempt->ended = ktime_get_boottime_ns();
	return error;
}

static int lph_stop_and_switch(struct lph_patch *patch, const struct lph_stopping *how)
{
	unsigned int try;

	for (try = 1;; try++) {
		int error = lph_try_complete_transition(patch, how);

		if (error != -EBUSY || try == how->tries)
			return error;
		if (lph_wait(how->apart_ms)) {
			lph_reverse_transition();	/* nobody has moved yet */
			return 0;
		}
	}
}

#endif
