// SPDX-License-Identifier: GPL-2.0-only
/* Patches the target alone. */
#include "lph_random.h"

LPH_ANSWER(lph_d, 4)

static struct klp_func of_target[] = {
	{ .old_name = "lph_target_answer", .new_func = lph_d_answer },
	{ }
};

static struct klp_object objects[] = {
	{ .name = "lph_target", .funcs = of_target, LPH_CALLBACKS },
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objects,
};

LPH_MODULE(patch);
