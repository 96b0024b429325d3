// SPDX-License-Identifier: GPL-2.0-only
/* Every task there is, and its patch_state, swept from /proc. */

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tasks.h"
#include "watch.h"

#define MOST_BLOCKERS 32
#define MOST_FRAMES 24

/* What is known of a task in this transition, kept in an open-addressed table by its number. */
struct known {
	int pid; /* 0: free */
	signed char state;
	bool kthread;
	bool reported, exactly;
	long long seen; /* last time it was seen not yet moved; 0 for never */
	char comm[64];
};

static struct {
	struct known *slots;
	size_t size, used;
	int target;
	long long since; /* when every task was in the other state; 0: not known, or it is over */
} table;

static int counts[3]; /* patch_state + 1 */
static int blockers_printed;

static struct known *slot_of(struct known *slots, size_t size, int pid)
{
	size_t i = (size_t)pid * 2654435761u % size;

	while (slots[i].pid && slots[i].pid != pid)
		i = (i + 1) % size;
	return &slots[i];
}

static void grow(void)
{
	size_t i, size = table.size ? table.size * 2 : 1024;
	struct known *slots = calloc(size, sizeof(*slots));

	if (!slots)
		exit(1);
	for (i = 0; i < table.size; i++)
		if (table.slots[i].pid)
			*slot_of(slots, size, table.slots[i].pid) = table.slots[i];
	free(table.slots);
	table.slots = slots;
	table.size = size;
}

void tasks_begin(int target, long long since)
{
	if (!table.size)
		grow();
	memset(table.slots, 0, table.size * sizeof(*table.slots));
	table.used = 0;
	table.target = target;
	table.since = since;
}

static struct known *find_or_add(int pid)
{
	struct known *task;

	if (table.used * 2 >= table.size)
		grow();
	task = slot_of(table.slots, table.size, pid);
	if (!task->pid) {
		task->pid = pid;
		task->state = -2;
		table.used++;
	}
	return task;
}

static void report_move(struct known *task, long long t, bool exact)
{
	/* Once at the latest, by a look, and once as it happened: a look may come before its event is read. */
	if (exact ? task->exactly : task->reported)
		return;
	task->reported = true;
	task->exactly |= exact;
	printf("{\"e\":\"moved\",\"t\":%lld,\"pid\":%d,\"to\":%d,\"k\":%d,\"after\":%lld,\"comm\":", t,
	       task->pid, table.target, task->kthread, exact ? t : task->seen);
	json_string(stdout, task->comm, strlen(task->comm));
	printf("}\n");
}

static void learn(struct known *task)
{
	char path[64];
	struct task_stat stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", task->pid);
	if (read_task_stat(path, &stat))
		return;
	task->kthread = stat.flags & TASK_IS_KTHREAD;
	memcpy(task->comm, stat.comm, sizeof(task->comm));
}

void tasks_moved_itself(int pid, long long t)
{
	struct known *task;

	/* The idle tasks share number 0 and have no folder in /proc. */
	if (!pid)
		return;
	task = find_or_add(pid);
	if (!task->comm[0])
		learn(task);
	report_move(task, t, true);
}

/* Whoever is here and was never looked at was in the other state when it began. */
static void note_unseen(int tgid, int pid, void *unused)
{
	struct known *task = find_or_add(pid);

	(void)tgid;
	(void)unused;
	if (task->state != -2)
		return;
	task->state = (signed char)!table.target;
	task->seen = table.since;
	if (!task->comm[0])
		learn(task);
}

void tasks_completed(long long t)
{
	size_t i;

	if (table.since)
		each_task(note_unseen, NULL);
	for (i = 0; i < table.size; i++)
		if (table.slots[i].pid && table.slots[i].state == !table.target)
			report_move(&table.slots[i], t, false);
	table.since = 0;
}

static void print_stack(int pid)
{
	char path[64], text[4096];
	char *line, *next;
	const char *comma = "";
	int frames = 0;

	printf(",\"stack\":[");
	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	if (read_file(path, text, sizeof(text)) > 0)
		for (line = text; *line && frames < MOST_FRAMES; line = next, frames++) {
			size_t length = strcspn(line, "\n");

			next = line + length + (line[length] == '\n');
			if (!strncmp(line, "[<0>] ", 6)) {
				line += 6;
				length -= 6;
			}
			printf("%s", comma);
			json_string(stdout, line, length);
			comma = ",";
		}
	printf("]");
}

static void print_blocker(const struct known *task)
{
	char path[64];
	struct task_stat stat;

	if (blockers_printed >= MOST_BLOCKERS)
		return;
	snprintf(path, sizeof(path), "/proc/%d/stat", task->pid);
	if (read_task_stat(path, &stat))
		return;
	printf("%s{\"pid\":%d,\"k\":%d,\"s\":\"%c\",\"comm\":", blockers_printed++ ? "," : "", task->pid,
	       task->kthread, stat.state);
	json_string(stdout, stat.comm, strlen(stat.comm));
	print_stack(task->pid);
	printf("}");
}

static void look_at(int tgid, int pid, void *unused)
{
	char path[96], text[16];
	long long before = now_ns(); /* once it is read, it may not be true any more */
	struct known *task;
	long state;

	(void)unused;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/patch_state", tgid, pid);
	if (read_file(path, text, sizeof(text)) < 0)
		return;
	state = strtol(text, NULL, 10);
	if (state < -1 || state > 1)
		return;
	counts[state + 1]++;
	if (table.since)
		note_unseen(tgid, pid, NULL);
	task = find_or_add(pid); /* after the other: the table may move */
	if (!task->comm[0])
		learn(task);
	if (state == table.target && task->state == !table.target)
		report_move(task, now_ns(), false);
	if (state == !table.target)
		task->seen = before;
	if (state >= 0 || !table.since) /* it is over, and nobody has told us yet, or not quite begun */
		task->state = (signed char)state;
}

void each_task(void (*look)(int tgid, int pid, void *data), void *data)
{
	struct dirent *process, *thread;
	DIR *processes = opendir("/proc");

	while (processes && (process = readdir(processes))) {
		char path[64];
		DIR *threads;

		if (!isdigit((unsigned char)process->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/task", process->d_name);
		threads = opendir(path);
		while (threads && (thread = readdir(threads)))
			if (isdigit((unsigned char)thread->d_name[0]))
				look(atoi(process->d_name), atoi(thread->d_name), data);
		if (threads)
			closedir(threads);
	}
	if (processes)
		closedir(processes);
}

long long tasks_sweep(bool name_blockers)
{
	long long began = now_ns();
	size_t i;

	memset(counts, 0, sizeof(counts));
	each_task(look_at, NULL);
	printf("{\"e\":\"sweep\",\"t\":%lld,\"target\":%d,\"idle\":%d,\"old\":%d,\"new\":%d,\"blockers\":[",
	       began, table.target, counts[0], counts[1], counts[2]);
	blockers_printed = 0;
	for (i = 0; name_blockers && i < table.size; i++)
		if (table.slots[i].pid && table.slots[i].state == !table.target &&
		    table.slots[i].seen >= began)
			print_blocker(&table.slots[i]);
	printf("]}\n");
	fflush(stdout);
	return now_ns() - began;
}
