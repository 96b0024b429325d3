// SPDX-License-Identifier: GPL-2.0-only
/*
 * lph_handover: an emulated CPU that was called by another one lets that go on at once.
 *
 * A kernel that rewrites its own code calls all other CPUs at each place, three times over, and
 * waits until they have answered (text_poke_bp_batch(), arch/x86/kernel/alternative.c); so it does
 * for each page that is mapped differently. CPUs that share one thread of an emulator take turns:
 * the one that waits hands over at once, by "pause", but the other, having answered, keeps the
 * thread until its time is up, some milliseconds. Since 6.3 a livepatch's transition rewrites
 * thousands of calls (sched_dynamic_klp_enable()), and took minutes of nothing but that.
 *
 * So a CPU says "pause" once it has answered. It does nothing else, and nothing at all under
 * another hypervisor.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/processor.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#define HYPERVISOR_LEAF 0x40000000
#define EMULATOR "TCGTCGTCGTCG"	/* what QEMU has an emulated CPU say of itself */

static struct {
	const char *name;
	struct tracepoint *tracepoint;
} answered[] = {		/* arch/x86/include/asm/trace/irq_vectors.h */
	{ .name = "call_function_exit" },
	{ .name = "call_function_single_exit" },
};

static void hand_over(void *data, int vector)
{
	cpu_relax();
}

static bool emulated(void)
{
	unsigned int leaf, name[3];

	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return false;
	cpuid(HYPERVISOR_LEAF, &leaf, &name[0], &name[1], &name[2]);
	return !memcmp(name, EMULATOR, sizeof(name));
}

#ifdef CONFIG_TRACEPOINTS
static void find(struct tracepoint *tracepoint, void *unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(answered); i++)
		if (!strcmp(tracepoint->name, answered[i].name))
			answered[i].tracepoint = tracepoint;
}

static void cease(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(answered); i++)
		if (answered[i].tracepoint)
			tracepoint_probe_unregister(answered[i].tracepoint, hand_over, NULL);
	tracepoint_synchronize_unregister();
}

static int begin(void)
{
	unsigned int i;
	int error;

	for_each_kernel_tracepoint(find, NULL);
	for (i = 0; i < ARRAY_SIZE(answered); i++) {
		error = -ENODEV;
		if (answered[i].tracepoint)
			error = tracepoint_probe_register(answered[i].tracepoint, hand_over, NULL);
		if (error) {
			answered[i].tracepoint = NULL;
			cease();
			return error;
		}
	}
	return 0;
}
#else
static void cease(void)
{
}

static int begin(void)
{
	return -ENODEV;
}
#endif

static int __init lph_handover_init(void)
{
	if (num_possible_cpus() == 1 || !emulated())
		return -ENODEV;
	return begin();
}

static void __exit lph_handover_exit(void)
{
	cease();
}

module_init(lph_handover_init);
module_exit(lph_handover_exit);
MODULE_DESCRIPTION("lpharness: an emulated CPU that was called hands over once it has answered");
MODULE_LICENSE("GPL");
