// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happened, in /proc/lph_models: every look at the tasks, and every task that moved by itself.
 *
 * Written while the machine stands still, or in whatever context a task moves: so all of it has its
 * place from the start. A line is fields with a tab between; names of tasks are made harmless.
 */
#include "core.h"

#include <linux/ctype.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#define MOST_ATTEMPTS 64
#define MOST_MOVES 16384

struct move {
	u64 at;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	bool kthread;
	const char *where;
};

static struct {
	struct lph_attempt *attempts;
	struct move *moves;
	atomic_t attempt_count, move_count;	/* also of those that found no place */
} told;

struct lph_attempt *lph_new_attempt(void)
{
	unsigned int number = atomic_fetch_inc(&told.attempt_count);
	/* A transition that never ends looks again and again: the last place is the latest. */
	struct lph_attempt *attempt = &told.attempts[min(number, MOST_ATTEMPTS - 1U)];

	memset(attempt, 0, sizeof(*attempt));
	attempt->target = lph_target();
	attempt->began = ktime_get_boottime_ns();
	return attempt;
}

static void keep_comm(char *to, const struct task_struct *task)
{
	unsigned int i;

	strscpy(to, task->comm, TASK_COMM_LEN);
	for (i = 0; to[i]; i++)
		if (!isprint(to[i]))
			to[i] = '?';
}

void lph_note_blocker(struct lph_attempt *attempt, struct task_struct *task, const char *why)
{
	struct lph_blocker *blocker;

	attempt->blocked++;
	if (attempt->kept == LPH_MOST_BLOCKERS)
		return;
	blocker = &attempt->blockers[attempt->kept++];
	blocker->pid = task->pid;
	keep_comm(blocker->comm, task);
	blocker->state = task_state_to_char(task);
	blocker->kthread = task->flags & PF_KTHREAD;
	strscpy(blocker->why, why, sizeof(blocker->why));	/* the patch may go before it is read */
	blocker->frames = lph_kernel.save_stack(task, blocker->stack, LPH_MOST_FRAMES, 0);
}

void notrace lph_note_move(struct task_struct *task, const char *where)
{
	unsigned int number = atomic_fetch_inc(&told.move_count);
	struct move *move = &told.moves[number];

	if (number >= MOST_MOVES)
		return;
	move->pid = task->pid;
	memcpy(move->comm, task->comm, TASK_COMM_LEN);
	move->kthread = task->flags & PF_KTHREAD;
	move->where = where;
	/* Last: a line without a time is not whole yet. */
	smp_store_release(&move->at, ktime_get_boot_fast_ns());
}

void lph_forget(void)
{
	memset(told.moves, 0, MOST_MOVES * sizeof(*told.moves));
	atomic_set(&told.attempt_count, 0);
	atomic_set(&told.move_count, 0);
}

static const char *name_of(enum lph_version target)
{
	return target == LPH_NEW ? "patching" : "unpatching";
}

static void show_blocker(struct seq_file *m, const struct lph_blocker *blocker)
{
	unsigned int i;

	seq_printf(m, "blocker\t%d\t%c\t%d\t%s\t%s\t", blocker->pid, blocker->state, blocker->kthread,
		   blocker->comm, blocker->why);
	for (i = 0; i < blocker->frames; i++)
		seq_printf(m, "%s%pS", i ? ";" : "", (void *)blocker->stack[i]);
	seq_putc(m, '\n');
}

static int attempts_show(struct seq_file *m, void *unused)
{
	unsigned int i, j, count = min_t(unsigned int, atomic_read(&told.attempt_count), MOST_ATTEMPTS);

	for (i = 0; i < count; i++) {
		const struct lph_attempt *attempt = &told.attempts[i];

		if (!attempt->ended)
			continue;
		seq_printf(m, "attempt\t%s\t%llu\t%llu\t%llu\t%llu\t%u\t%u\t%u\n",
			   name_of(attempt->target), attempt->began, attempt->ended,
			   attempt->stop_began, attempt->stop_ended, attempt->tasks, attempt->frames,
			   attempt->blocked);
		for (j = 0; j < attempt->kept; j++)
			show_blocker(m, &attempt->blockers[j]);
	}
	seq_printf(m, "total\t%d\n", atomic_read(&told.attempt_count));
	return 0;
}

static int moves_show(struct seq_file *m, void *unused)
{
	unsigned int i, count = min_t(unsigned int, atomic_read(&told.move_count), MOST_MOVES);

	for (i = 0; i < count; i++) {
		const struct move *move = &told.moves[i];
		char comm[TASK_COMM_LEN];
		unsigned int j;

		if (!smp_load_acquire(&move->at))
			continue;
		strscpy(comm, move->comm, sizeof(comm));
		for (j = 0; comm[j]; j++)
			if (!isprint(comm[j]))
				comm[j] = '?';
		seq_printf(m, "move\t%llu\t%d\t%d\t%s\t%s\n", move->at, move->pid, move->kthread,
			   move->where, comm);
	}
	seq_printf(m, "total\t%d\n", atomic_read(&told.move_count));
	return 0;
}

int lph_tell_begin(void)
{
	struct proc_dir_entry *folder;
	bool there;

	told.attempts = vzalloc(array_size(MOST_ATTEMPTS, sizeof(*told.attempts)));
	told.moves = vzalloc(array_size(MOST_MOVES, sizeof(*told.moves)));
	folder = told.attempts && told.moves ? proc_mkdir("lph_models", NULL) : NULL;
	there = folder && proc_create_single("attempts", 0400, folder, attempts_show) &&
		proc_create_single("moves", 0400, folder, moves_show);
	if (there)
		return 0;
	lph_tell_end();
	return -ENOMEM;
}

void lph_tell_end(void)
{
	remove_proc_subtree("lph_models", NULL);
	vfree(told.attempts);
	vfree(told.moves);
}
