// SPDX-License-Identifier: GPL-2.0-only
/* Replaces all others; knows their state, in a later version. */
#include "lph_random.h"

LPH_PAUSE(lph_c, 3)

static struct klp_func of_vmlinux[] = {
	{ .old_name = "__x64_sys_pause", .new_func = lph_c_pause },
	{ }
};

LPH_ANSWER(lph_c, 3)

static struct klp_func of_target[] = {
	{ .old_name = "lph_target_answer", .new_func = lph_c_answer },
	{ }
};

static struct klp_state states[] = {
	{ .id = 1, .version = 2 },
	{ }
};

static struct klp_object objects[] = {
	{ .funcs = of_vmlinux, LPH_CALLBACKS },
	{ .name = "lph_target", .funcs = of_target, LPH_CALLBACKS },
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objects,
	.states = states,
	.replace = true,
};

LPH_MODULE(patch);
