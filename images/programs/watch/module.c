// SPDX-License-Identifier: GPL-2.0-only
/* Loading and unloading a module with the system call's own errno. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tasks.h"
#include "watch.h"

int command_load(int argc, char **argv)
{
	long long began, ended;
	int fd, error = 0;

	if (argc < 1)
		return 2;
	fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	began = now_ns();
	if (fd < 0 || syscall(SYS_finit_module, fd, argc > 1 ? argv[1] : "", 0))
		error = errno;
	ended = now_ns();
	printf("{\"errno\":%d,\"began\":%lld,\"ended\":%lld}\n", error, began, ended);
	return 0;
}

static long reference_count(const char *name)
{
	char path[256], text[32];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);
	if (read_file(path, text, sizeof(text)) < 0)
		return -1;
	return strtol(text, NULL, 10);
}

/* A disabled patch drops its module's reference from a work item, some time later. */
static long await_release(const char *name, long long until)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	long count;

	while ((count = reference_count(name)) > 0 && now_ns() < until)
		nanosleep(&pause, NULL);
	return count;
}

#define MOST_INSIDE 16

/*
 * A task in the module's code, just before it goes: where, and what it called from there. Once the
 * module is gone the kernel shows of such a stack only the part above the frame without a symbol.
 */
struct inside {
	int tgid, pid;
	char frame[128], above[2048];
};

struct insiders {
	char suffix[80];
	struct inside task[MOST_INSIDE];
	int count;
};

static ssize_t read_stack(int tgid, int pid, char *text, size_t size)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stack", tgid, pid);
	return read_file(path, text, size);
}

static void note_insider(int tgid, int pid, void *data)
{
	struct insiders *all = data;
	struct inside *task = &all->task[all->count];
	char text[sizeof(task->above)];
	char *hit, *frame;

	if (all->count == MOST_INSIDE || read_stack(tgid, pid, text, sizeof(text)) < 0)
		return;
	hit = strstr(text, all->suffix);
	if (!hit)
		return;
	for (frame = hit; frame > text && frame[-1] != '\n'; frame--)
		;
	if (frame == text)
		return; /* it called nothing, so it runs, and may be gone the next moment */
	*hit = '\0';
	snprintf(task->frame, sizeof(task->frame), "%s", frame + strlen("[<0>] "));
	*frame = '\0';
	snprintf(task->above, sizeof(task->above), "%s", text);
	task->tgid = tgid;
	task->pid = pid;
	all->count++;
}

/* Who sleeps as before, in what the module's code called, is going to return to it. */
static void print_left(const struct insiders *all)
{
	const char *comma = "";
	int i;

	for (i = 0; i < all->count; i++) {
		const struct inside *task = &all->task[i];
		struct task_stat stat;
		char text[sizeof(task->above)], path[96];

		snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", task->tgid, task->pid);
		if (read_stack(task->tgid, task->pid, text, sizeof(text)) < 0 ||
		    strcmp(text, task->above) || read_task_stat(path, &stat))
			continue;
		printf("%s{\"pid\":%d,\"frame\":", comma, task->pid);
		json_string(stdout, task->frame, strlen(task->frame));
		printf(",\"comm\":");
		json_string(stdout, stat.comm, strlen(stat.comm));
		printf("}");
		comma = ",";
	}
}

int command_unload(int argc, char **argv)
{
	long long began, released, ended;
	static struct insiders insiders;
	long count;
	int error = 0;

	if (argc < 2)
		return 2;
	began = now_ns();
	count = await_release(argv[0], began + atoll(argv[1]) * 1000000LL);
	snprintf(insiders.suffix, sizeof(insiders.suffix), " [%s]\n", argv[0]);
	each_task(note_insider, &insiders);
	released = now_ns();
	if (syscall(SYS_delete_module, argv[0], O_NONBLOCK))
		error = errno;
	ended = now_ns();
	printf("{\"errno\":%d,\"refcount\":%ld,\"began\":%lld,\"released\":%lld,\"ended\":%lld,"
	       "\"inside\":[", error, count, began, released, ended);
	if (!error)
		print_left(&insiders);
	printf("]}\n");
	return 0;
}
