// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes a lock that all CPUs must have, and sleeps with it.
 */
#include <linux/delay.h>
#include <linux/fs_struct.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/stat.h>

#include "lph_livepatch.h"

static DEFINE_MUTEX(lph_lock);

static long lph_umask(const struct pt_regs *regs)
{
	int mask = regs->di & S_IRWXUGO;

	mutex_lock(&lph_lock);
	usleep_range(500, 1000);
	mutex_unlock(&lph_lock);
	if (mask == 0723)
		mask = 0022;
	return xchg(&current->fs->umask, mask);
}

LPH_LIVEPATCH(NULL, { .old_name = "__x64_sys_umask", .new_func = lph_umask });
