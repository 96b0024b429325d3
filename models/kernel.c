// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel does not export to modules: found through kallsyms, itself found by a kprobe.
 *
 * Calls through these pointers would fault on a CPU that enforces IBT: the kernel takes the landing
 * pads from functions that it never calls indirectly. QEMU's CPUs have no IBT.
 */
#include "core.h"

#include <linux/kprobes.h>

struct lph_kernel lph_kernel;

static unsigned long (*lookup_name)(const char *name);

static int find_lookup(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	int error = register_kprobe(&probe);

	if (error)
		return error;
	lookup_name = (void *)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

unsigned long lph_lookup(const char *name)
{
	return lookup_name(name);
}

int lph_find_kernel(void)
{
	static const struct {
		const char *name;
		void *place;
	} wanted[] = {
		{ "klp_find_object_symbol", &lph_kernel.find_object_symbol },
		{ "find_module", &lph_kernel.find_module },
		{ "kallsyms_lookup_size_offset", &lph_kernel.lookup_size_offset },
		{ "klp_apply_section_relocs", &lph_kernel.apply_section_relocs },
		{ "stack_trace_save_tsk", &lph_kernel.save_stack },
		{ "stack_trace_save_tsk_reliable", &lph_kernel.save_stack_reliable },
		{ "task_call_func", &lph_kernel.task_call },
		{ "wake_up_state", &lph_kernel.wake_up_state },
		{ "wake_up_if_idle", &lph_kernel.wake_up_if_idle },
		{ "idle_task", &lph_kernel.idle_task },
		{ "schedule_on_each_cpu", &lph_kernel.on_each_cpu },
		{ "tasklist_lock", &lph_kernel.tasklist_lock },
		{ "klp_mutex", &lph_kernel.klp_mutex },
		{ "klp_target_state", &lph_kernel.klp_target_state },
		{ "klp_transition_patch", &lph_kernel.klp_transition_patch },
		{ "klp_update_patch_state", &lph_kernel.klp_update_patch_state },
		{ "kthread_should_stop", &lph_kernel.kthread_should_stop },
	};
	unsigned int i;
	int error = find_lookup();

	if (error) {
		pr_err("no kprobe on kallsyms_lookup_name (%d)\n", error);
		return error;
	}
	for (i = 0; i < ARRAY_SIZE(wanted); i++) {
		unsigned long address = lookup_name(wanted[i].name);

		if (!address) {
			pr_err("this kernel has no %s\n", wanted[i].name);
			return -ENOENT;
		}
		*(unsigned long *)wanted[i].place = address;
	}
	return 0;
}
