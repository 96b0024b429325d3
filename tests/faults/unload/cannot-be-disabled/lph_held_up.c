// SPDX-License-Identifier: GPL-2.0-only
/*
 * Its transition waits for whoever sleeps in pause(2).
 */
#include "lph_livepatch.h"

static long lph_pause(const struct pt_regs *regs)
{
	return -EINTR;
}

LPH_LIVEPATCH(NULL, { .old_name = "__do_sys_pause", .new_func = lph_pause });
