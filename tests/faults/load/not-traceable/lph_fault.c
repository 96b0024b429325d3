// SPDX-License-Identifier: GPL-2.0-only
/*
 * do_syscall_64 is noinstr: nothing can be hooked into it.
 */
#include "lph_livepatch.h"

static bool lph_syscall(struct pt_regs *regs, int nr)
{
	return false;
}

LPH_LIVEPATCH(NULL, { .old_name = "do_syscall_64", .new_func = lph_syscall });
