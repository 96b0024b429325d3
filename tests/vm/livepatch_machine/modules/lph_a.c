// SPDX-License-Identifier: GPL-2.0-only
/* Patches the kernel and the target, with callbacks for both. */
#include "lph_random.h"

LPH_PAUSE(lph_a, 1)

static struct klp_func of_vmlinux[] = {
	{ .old_name = "__x64_sys_pause", .new_func = lph_a_pause },
	{ }
};

LPH_ANSWER(lph_a, 1)

static struct klp_func of_target[] = {
	{ .old_name = "lph_target_answer", .new_func = lph_a_answer },
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
};

LPH_MODULE(patch);
