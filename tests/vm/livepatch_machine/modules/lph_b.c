// SPDX-License-Identifier: GPL-2.0-only
/* Patches the kernel alone, and changes a state. */
#include "lph_random.h"

LPH_PAUSE(lph_b, 2)

static struct klp_func of_vmlinux[] = {
	{ .old_name = "__x64_sys_pause", .new_func = lph_b_pause },
	{ }
};

static struct klp_state states[] = {
	{ .id = 1, .version = 1 },
	{ }
};

static struct klp_object objects[] = {
	{ .funcs = of_vmlinux },
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objects,
	.states = states,
};

LPH_MODULE(patch);
