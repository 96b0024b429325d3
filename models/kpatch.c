// SPDX-License-Identifier: GPL-2.0-only
/*
 * kpatch, the original: stop the machine, trace every stack, switch the kernel.
 *
 * After kpatch 0.2 to 0.4 (kmod/core/core.c: kpatch_apply_patch, kpatch_verify_activeness_safety)
 * and the script that tries to load five times, two seconds apart. It gives up at the first task in
 * the way, and at a stack of more than 64 entries. Its abort by an NMI has no counterpart here.
 */
#include "stopped.h"

#define MOST_ENTRIES 64

static void kpatch_check(struct lph_patch *patch, struct task_struct *task,
			 struct lph_attempt *attempt)
{
	static unsigned long entries[MOST_ENTRIES + 1];	/* one stop at a time */
	unsigned int i, count = lph_kernel.save_stack(task, entries, ARRAY_SIZE(entries), 0);

	attempt->frames += count;
	if (count > MOST_ENTRIES) {
		lph_note_blocker(attempt, task, "a stack over the limit");
		return;
	}
	for (i = 0; i < count; i++) {
		const struct lph_func *func = lph_leaving(patch, entries[i]);

		if (func) {
			lph_note_blocker(attempt, task, func->klp->old_name);
			return;
		}
	}
}

static int kpatch_move(struct lph_patch *patch)
{
	static const struct lph_stopping how = {
		.check = kpatch_check,
		.tries = 5,
		.apart_ms = 2000,
		.first_only = true,
	};

	return lph_stop_and_switch(patch, &how);
}

const struct lph_model lph_model = {
	.name = "kpatch",
	.calls_new = lph_all_call_new,
	.move = kpatch_move,
};
