// SPDX-License-Identifier: GPL-2.0-only
/* Believes in a function that the target does not have: no load until it is there. */
#include "lph_random.h"

LPH_ANSWER(lph_m, 6)

static struct klp_func of_target[] = {
	{ .old_name = "lph_target_missing", .new_func = lph_m_answer },
	{ }
};

static struct klp_object objects[] = {
	{ .name = "lph_target", .funcs = of_target },
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objects,
};

LPH_MODULE(patch);
