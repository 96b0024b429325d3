// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes something for all CPUs at once, and takes its time.
 */
#include <linux/ktime.h>
#include <linux/stop_machine.h>

#define LPH_CALLBACKS .pre_patch = lph_pre_patch
#include "lph_livepatch.h"

/*
 * Some milliseconds of this CPU's own work: on a busy host they take longer, and a clock would tell
 * of the host's doing.
 */
static void lph_work(unsigned int ms)
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

static int lph_wait(void *unused)
{
	lph_work(1000);
	return 0;
}

static int lph_pre_patch(struct klp_object *obj)
{
	return stop_machine(lph_wait, NULL, NULL);
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
