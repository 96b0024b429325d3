// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stops the machine for 300 ms each time.
 */
#include <linux/ktime.h>
#include <linux/stop_machine.h>

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
	lph_work(300);
	return 0;
}

static int lph_show(struct seq_file *m, void *v)
{
	stop_machine(lph_wait, NULL, NULL);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
