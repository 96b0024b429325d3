// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plants a stand-still and tells when it was, and where: /sys/module/lph_plant/parameters.
 *
 * It lasts as long as some milliseconds of the CPU's own work take, or until the clock says so if
 * the host is faster: a CPU that the host takes away stands still for longer, not shorter.
 */
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>
#include <linux/timekeeping.h>

#define ALL (-1)
#define OTHERS_WAIT (-2)

static int cpu;
module_param(cpu, int, 0444);
MODULE_PARM_DESC(cpu, "Which CPU stands still; -1: all, as stop_machine() makes them; -2: one, and "
		      "stop_machine() lets the others wait for it");

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

static int do_nothing(void *unused)
{
	return 0;
}

/* Another CPU than this one stands still, and the stoppers of all others wait for its own. */
static int let_others_wait(void)
{
	int error;

	cpu = cpumask_any_but(cpu_online_mask, get_cpu());
	error = smp_call_function_single(cpu, stand_still, NULL, 0);
	put_cpu();
	return error ?: stop_machine(do_nothing, NULL, NULL);
}

static int __init lph_plant_init(void)
{
	switch (cpu) {
	case ALL:
		return stop_machine(while_stopped, NULL, NULL);
	case OTHERS_WAIT:
		return let_others_wait();
	default:
		return smp_call_function_single(cpu, stand_still, NULL, 1);
	}
}

static void __exit lph_plant_exit(void)
{
}

module_init(lph_plant_init);
module_exit(lph_plant_exit);
MODULE_DESCRIPTION("lpharness test: a CPU that stands still");
MODULE_LICENSE("GPL");
