// SPDX-License-Identifier: GPL-2.0-only
/*
 * sethostname(2) that keeps nothing.
 */
#include "lph_livepatch.h"

static long lph_sethostname(const struct pt_regs *regs)
{
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "__x64_sys_sethostname", .new_func = lph_sethostname });
