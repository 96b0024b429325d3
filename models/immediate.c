// SPDX-License-Identifier: GPL-2.0-only
/*
 * Immediate: no consistency at all. A function is redirected, and its next call is new.
 *
 * What Linux 4.0 to 4.11 had, and to 4.15 as klp_patch.immediate: functions are redirected one
 * after the other, and nobody knows who still runs which version, so the module can never go.
 */
#include "core.h"

static bool notrace immediate_calls_new(void)
{
	return true;	/* only who is redirected asks */
}

static noinline __noclone int lph_try_complete_transition(struct lph_patch *patch)
{
	unsigned int i;

	for (i = 0; i < patch->count; i++) {
		int error = 0;

		if (lph_target() == LPH_NEW)
			error = lph_redirect(&patch->funcs[i]);
		else
			lph_give_back(&patch->funcs[i]);
		if (error)
			return error;
	}
	lph_set_version(lph_target());
	return 0;
}

const struct lph_model lph_model = {
	.name = "immediate",
	.calls_new = immediate_calls_new,
	.move = lph_try_complete_transition,
	.by_function = true,
	.pins_module = true,
};
