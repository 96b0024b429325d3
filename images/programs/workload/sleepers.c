// SPDX-License-Identifier: GPL-2.0-only
/*
 * sleepers: tasks named lph-sleeper that lie in a system call, so that a transition that concerns
 * it has to wait for them. The workers beat as in `idle`.
 *
 * SIGUSR1 to the parent, whose process id is in --pid-file, releases them: they leave the call
 * and end. Until then a call that returns is made again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "workload.h"

#define NAME	"lph-sleeper"

static pid_t asleep[MAX_TASKS];
static volatile sig_atomic_t released;	/* in a sleeper: it may go; in the parent: all may */

static long park_in_pause(void)
{
	return syscall(SYS_pause);
}

static long park_in_nanosleep(void)
{
	const long for_ever[2] = {1L << 30, 0};

	return syscall(SYS_nanosleep, for_ever, NULL);
}

static long park_in_poll(void)
{
	return syscall(SYS_poll, NULL, 0, -1);
}

static long park_in_select(void)
{
	return syscall(SYS_select, 0, NULL, NULL, NULL, NULL);
}

static long park_in_futex(void)
{
	static int word;

	return syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL);
}

static long park_in_read(void)
{
	static int ends[2] = {-1, -1};
	char byte;

	if (ends[0] < 0 && pipe(ends))	/* whose other end is kept open, and never written to */
		return -1;
	return syscall(SYS_read, ends[0], &byte, 1);
}

static const struct {
	const char *name;
	long (*park)(void);
} places[] = {
	{"futex", park_in_futex}, {"nanosleep", park_in_nanosleep}, {"pause", park_in_pause},
	{"poll", park_in_poll},   {"read", park_in_read},	    {"select", park_in_select},
};

static void on_release(int signal)
{
	(void)signal;
	released = 1;
}

static void be_sleeper(long (*park)(void))
{
	const struct sigaction action = {.sa_handler = on_release};	/* without SA_RESTART */

	/* A thousand that wake to end would keep the CPUs from the workers: SIGKILL comes after them. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	sigaction(SIGUSR1, &action, NULL);
	while (!released) {
		if (park() == -1 && errno == EINTR)
			continue;
		complain("a sleeper could not sleep: %s", strerror(errno));
		_exit(1);
	}
	_exit(0);
}

static bool write_pid_file(void)
{
	FILE *file = fopen(options.pid_file, "we");

	if (!file) {
		complain("cannot write %s: %s", options.pid_file, strerror(errno));
		return false;
	}
	fprintf(file, "%d\n", (int)getpid());
	return fclose(file) == 0;
}

static bool prepare(void)
{
	const char *name = options.park ? options.park : "pause";
	unsigned int i;
	size_t p;

	for (p = 0; p < sizeof(places) / sizeof(places[0]); p++)
		if (!strcmp(places[p].name, name))
			break;
	if (p == sizeof(places) / sizeof(places[0])) {
		complain("tasks cannot be parked in %s", name);
		return false;
	}
	for (i = 0; i < options.tasks; i++) {
		asleep[i] = fork_child(NAME);
		if (!asleep[i])
			be_sleeper(places[p].park);
		if (asleep[i] < 0) {
			complain("cannot start a sleeper: %s", strerror(errno));
			return false;
		}
	}
	return !options.pid_file || write_pid_file();
}

static void signal_sleepers(int signal)
{
	unsigned int i;

	for (i = 0; i < options.tasks; i++)
		if (asleep[i] > 0)
			kill(asleep[i], signal);
}

static void release(void)
{
	released = 1;
	signal_sleepers(SIGUSR1);
}

/* Again: the signal may have come just before the call that it should interrupt. */
static void tick(void)
{
	if (released)
		signal_sleepers(SIGUSR1);
}

static bool child_ended(pid_t pid, int status)
{
	unsigned int i;

	for (i = 0; i < options.tasks; i++) {
		if (asleep[i] != pid)
			continue;
		asleep[i] = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status)) {
			complain("a sleeper ended with wait status %#x", (unsigned int)status);
			if (worker_count)
				atomic_fetch_add(&workers[0].errors, 1);
		}
		return true;
	}
	return false;
}

static void finish(void)
{
	unsigned int i;

	/* What a patch does to them no longer matters: SIGKILL needs no cooperation. */
	signal_sleepers(SIGKILL);
	for (i = 0; i < options.tasks; i++)
		if (asleep[i] > 0)
			waitpid(asleep[i], NULL, 0);
	if (options.pid_file)
		unlink(options.pid_file);
}

const struct kind sleepers = {
	.name = "sleepers",
	.summary = "tasks parked in a system call (--park NAME --tasks N --pid-file FILE)",
	.prepare = prepare,
	.work = beat_until_stopped,
	.release = release,
	.tick = tick,
	.child_ended = child_ended,
	.finish = finish,
};
