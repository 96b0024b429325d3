// SPDX-License-Identifier: GPL-2.0-only
/*
 * The wrong errno.
 */
#include "lph_livepatch.h"

static long lph_ioprio_get(const struct pt_regs *regs)
{
	return -ESRCH;
}

LPH_LIVEPATCH(NULL, { .old_name = "__x64_sys_ioprio_get", .new_func = lph_ioprio_get });
