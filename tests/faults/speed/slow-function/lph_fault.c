// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does what it should, and a lot of what it should not.
 */
#include <linux/fs_struct.h>
#include <linux/sched.h>
#include <linux/stat.h>

#include "lph_livepatch.h"

#define ROUNDS 60000

static long lph_umask(const struct pt_regs *regs)
{
	int mask = regs->di & S_IRWXUGO;
	volatile int round;

	for (round = 0; round < ROUNDS; round++)
		;
	if (mask == 0723)
		mask = 0022;
	return xchg(&current->fs->umask, mask);
}

LPH_LIVEPATCH(NULL, { .old_name = "__x64_sys_umask", .new_func = lph_umask });
