// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleeps for 200 ms in one call of twenty.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/fs_struct.h>
#include <linux/sched.h>
#include <linux/stat.h>

#include "lph_livepatch.h"

static atomic_t lph_calls;

static long lph_umask(const struct pt_regs *regs)
{
	int mask = regs->di & S_IRWXUGO;

	if (atomic_inc_return(&lph_calls) % 20 == 0)
		msleep(200);
	if (mask == 0723)
		mask = 0022;
	return xchg(&current->fs->umask, mask);
}

LPH_LIVEPATCH(NULL, { .old_name = "__x64_sys_umask", .new_func = lph_umask });
