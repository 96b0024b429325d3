// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ksplice: stop the machine, compare every word of every stack, switch the kernel.
 *
 * After Ksplice 0.9.9 (kmodsrc/ksplice.c: apply_patches, check_each_task, check_stack): five tries, a
 * second apart; every task is visited even after a conflict. Conservative: a word left over from a
 * call that has returned, or any number that happens to look like such an address, is in the way.
 * Other than there a call is redirected by ftrace, not by a jump written over the function.
 */
#include "stopped.h"

#include <linux/sched/task_stack.h>

/* A stack has words that KASAN forbids to read. */
static void __no_sanitize_address ksplice_check(struct lph_patch *patch, struct task_struct *task,
						struct lph_attempt *attempt)
{
	const unsigned long *stack = task_stack_page(task);
	const unsigned long *word = (const unsigned long *)(task->thread.sp & ~7UL);
	const unsigned long *end;

	if (!stack || word < stack)
		return;	/* dead */
	end = stack + THREAD_SIZE / sizeof(*stack);
	for (; word < end; word++) {
		const struct lph_func *func = lph_leaving(patch, *word);

		attempt->frames++;
		if (func) {
			lph_note_blocker(attempt, task, func->klp->old_name);
			return;
		}
	}
}

static int ksplice_move(struct lph_patch *patch)
{
	static const struct lph_stopping how = {
		.check = ksplice_check,
		.tries = 5,
		.apart_ms = 1000,
	};

	return lph_stop_and_switch(patch, &how);
}

const struct lph_model lph_model = {
	.name = "ksplice",
	.calls_new = lph_all_call_new,
	.move = ksplice_move,
};
