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

int command_unload(int argc, char **argv)
{
	long long began, released, ended;
	long count;
	int error = 0;

	if (argc < 2)
		return 2;
	began = now_ns();
	count = await_release(argv[0], began + atoll(argv[1]) * 1000000LL);
	released = now_ns();
	if (syscall(SYS_delete_module, argv[0], O_NONBLOCK))
		error = errno;
	ended = now_ns();
	printf("{\"errno\":%d,\"refcount\":%ld,\"began\":%lld,\"released\":%lld,\"ended\":%lld}\n",
	       error, count, began, released, ended);
	return 0;
}
