/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Some milliseconds of this CPU's own work: on a busy host they take longer, and a clock would tell
 * of the host's doing.
 */
#ifndef LPH_WORK_H
#define LPH_WORK_H

#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/stop_machine.h>

static inline void lph_work(unsigned int ms)
{
	unsigned long loops, best = 0;
	unsigned int try;
	u64 end;

	for (try = 0; try < 30; try++) {
		end = ktime_get_mono_fast_ns() + NSEC_PER_MSEC;
		for (loops = 0; ktime_get_mono_fast_ns() < end; loops++)
			cpu_relax();
		best = max(best, loops);
	}
	for (loops = best * ms; loops; loops--) {
		ktime_get_mono_fast_ns();
		cpu_relax();
	}
}

static inline int lph_work_of_all(void *ms)
{
	lph_work(*(unsigned int *)ms);
	return 0;
}

/* Keeps all CPUs from anything else: each works for so long, with interrupts off. */
static inline int lph_stop_all(unsigned int ms)
{
	return stop_machine(lph_work_of_all, &ms, NULL);
}

#endif
