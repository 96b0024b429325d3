// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plants a stand-still and tells when it was: /sys/module/lph_plant/parameters/{began,ended}.
 *
 * It lasts as long as some milliseconds of the CPU's own work take, or until the clock says so if
 * the host is faster: a CPU that the host takes away stands still for longer, not shorter.
 */
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>
#include <linux/timekeeping.h>

static int cpu;
module_param(cpu, int, 0444);
MODULE_PARM_DESC(cpu, "Which CPU stands still; -1: all, as stop_machine() makes them");

static unsigned int ms = 100;
module_param(ms, uint, 0444);
MODULE_PARM_DESC(ms, "For how long at least");

static unsigned long began, ended;	/* CLOCK_BOOTTIME, in nanoseconds */
module_param(began, ulong, 0444);
module_param(ended, ulong, 0444);

/* Interrupts are off. */
static void stand_still(void *unused)
{
	u64 end;

	began = ktime_get_boot_fast_ns();
	end = began + ms * (u64)NSEC_PER_MSEC;
	do {
		cpu_relax();
		ended = ktime_get_boot_fast_ns();
	} while (ended < end);
}

static int while_stopped(void *unused)
{
	stand_still(NULL);
	return 0;
}

static int __init lph_plant_init(void)
{
	if (cpu < 0)
		return stop_machine(while_stopped, NULL, NULL);
	return smp_call_function_single(cpu, stand_still, NULL, 1);
}

static void __exit lph_plant_exit(void)
{
}

module_init(lph_plant_init);
module_exit(lph_plant_exit);
MODULE_DESCRIPTION("lpharness test: a CPU that stands still");
MODULE_LICENSE("GPL");
