// SPDX-License-Identifier: GPL-2.0-only
/*
 * pause(2) ends with ECANCELED instead of EINTR, and is gone through again by whoever sleeps on.
 */
#include <linux/errno.h>
#include <linux/sched/signal.h>

#include "lph_livepatch.h"

static long lph_pause(const struct pt_regs *regs)
{
	while (!signal_pending(current)) {
		__set_current_state(TASK_INTERRUPTIBLE);
		schedule();
	}
	return -ECANCELED;
}

LPH_LIVEPATCH(NULL, { .old_name = "__do_sys_pause", .new_func = lph_pause });
