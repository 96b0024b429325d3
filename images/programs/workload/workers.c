// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker processes: one for each CPU, pinned to it, unless asked otherwise.
 *
 * Processes and not threads, so that each is a task of its own in every sense that a livepatch's
 * transition knows, and so that one that crashes does not take the reporter along.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"

#define PATIENCE_MS	5000	/* for workers to finish what they are at */

struct worker *workers;
unsigned int worker_count;

pid_t fork_child(const char *name)
{
	const pid_t parent = getpid();
	pid_t pid = fork();

	if (pid)
		return pid;
	die_with_parent(parent);
	prctl(PR_SET_NAME, name);
	listen_to_signals();
	return 0;
}

static unsigned int usable_cpus(int *cpus)
{
	unsigned int found = 0;
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set))
		CPU_ZERO(&set);
	for (cpu = 0; cpu < CPU_SETSIZE && found < MAX_WORKERS; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[found++] = cpu;
	if (!found)
		cpus[found++] = 0;
	return found;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);	/* the load is as good without */
}

static void be_worker(const struct kind *kind, struct worker *self)
{
	pin(self->cpu);
	atomic_store(&self->last, now_ns());
	atomic_store(&self->running, true);
	kind->work(self);
	atomic_store(&self->running, false);
	_exit(0);
}

static bool all_running(void)
{
	unsigned int i;

	for (i = 0; i < worker_count; i++)
		if (workers[i].pid && !atomic_load(&workers[i].running))
			return false;
	return true;
}

bool start_workers(const struct kind *kind)
{
	int cpus[MAX_WORKERS];
	unsigned int cpu_count = usable_cpus(cpus);
	unsigned int i;
	pid_t pid;

	worker_count = options.workers ? options.workers : cpu_count;
	workers = mmap(NULL, worker_count * sizeof(*workers), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (workers == MAP_FAILED) {
		complain("no memory for %u workers: %s", worker_count, strerror(errno));
		return false;
	}
	for (i = 0; i < worker_count; i++) {
		workers[i].index = i;
		workers[i].cpu = cpus[i % cpu_count];
		pid = fork_child("lph-worker");
		if (!pid)
			be_worker(kind, &workers[i]);
		if (pid < 0) {	/* those that run die with us */
			complain("cannot start worker %u: %s", i, strerror(errno));
			return false;
		}
		workers[i].pid = pid;	/* by the parent alone: the memory is shared */
	}
	while (!all_running()) {
		reap(kind);
		sleep_ms(1);
	}
	return true;
}

static bool is_fine(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void account(const struct kind *kind, pid_t pid, int status)
{
	unsigned int i;

	for (i = 0; i < worker_count; i++) {
		if (workers[i].pid != pid)
			continue;
		workers[i].pid = 0;
		if (!is_fine(status)) {
			complain("worker %u ended with wait status %#x", i, (unsigned int)status);
			atomic_fetch_add(&workers[i].errors, 1);
		}
		return;
	}
	if (kind->child_ended)
		kind->child_ended(pid, status);
}

/* Take note of every child that has ended; whether there are workers left. */
bool reap(const struct kind *kind)
{
	unsigned int i;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		account(kind, pid, status);
	for (i = 0; i < worker_count; i++)
		if (workers[i].pid)
			return true;
	return false;
}

static void signal_workers(int signal)
{
	unsigned int i;

	for (i = 0; i < worker_count; i++)
		if (workers[i].pid)
			kill(workers[i].pid, signal);
}

void stop_workers(const struct kind *kind)
{
	const uint64_t patience = now_ns() + PATIENCE_MS * 1000000ull;

	/* Again and again: a signal may come just before the call that it should interrupt. */
	while (reap(kind) && now_ns() < patience) {
		signal_workers(SIGTERM);
		sleep_ms(5);
	}
	signal_workers(SIGKILL);	/* each counts as an error: it did not do as it was told */
	while (reap(kind) && now_ns() < patience + PATIENCE_MS * 1000000ull)
		sleep_ms(5);
}
