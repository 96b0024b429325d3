// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmalloc() without kfree(), in a system call that is called all the time.
 */
#include <linux/fs_struct.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/stat.h>

#include "lph_livepatch.h"

#define MOST (128 << 20) /* of a guest that has 512 MiB */

static long lph_umask(const struct pt_regs *regs)
{
	static atomic_t lost;
	int mask = regs->di & S_IRWXUGO;

	if (atomic_add_return(8192, &lost) < MOST)
		kmalloc(8192, GFP_KERNEL);
	if (mask == 0723)
		mask = 0022;
	return xchg(&current->fs->umask, mask);
}

LPH_LIVEPATCH(NULL, { .old_name = "__x64_sys_umask", .new_func = lph_umask });
