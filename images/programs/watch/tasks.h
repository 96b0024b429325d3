/* SPDX-License-Identifier: GPL-2.0-only */
/* Every task there is, and its patch_state, swept from /proc. */
#ifndef LPH_WATCH_TASKS_H
#define LPH_WATCH_TASKS_H

#include <stdbool.h>

/* Call @look for every thread there is. */
void each_task(void (*look)(int tgid, int pid, void *data), void *data);

/*
 * Forget what was known: a transition towards @target (0 or 1) begins at @since with every task in the
 * other state; 0 where it is not known that they are.
 */
void tasks_begin(int target, long long since);

/* The kernel told that task @pid moved itself at @t. */
void tasks_moved_itself(int pid, long long t);

/* The kernel told at @t that every task has moved: so has who was seen lagging before. */
void tasks_completed(long long t);

/*
 * Look at every task, print who moved since the last look and how many are in which state;
 * @name_blockers also prints each laggard with its stack. Returns how long it took.
 */
long long tasks_sweep(bool name_blockers);

#endif
