// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heartbeat on each CPU: whether each one runs what is due, and for how long it did not.
 *
 * One real-time process for each CPU, pinned to it, sleeps for PERIOD_NS again and again. Whoever
 * beats first when a report is due makes it, for all of them: so a CPU that stands still is told of
 * by the others. A report has for each CPU the longest gap between two beats since the one before,
 * and when that gap ended; one that is still open counts as far as it has come.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "watch.h"

#define HANDOVER "/sys/module/lph_handover"	/* images/modules/lph_handover.c */
#define PERIOD_NS	10000000u
#define REPORT_NS	100000000u
#define MOST_CPUS	64	/* a report is one write that a pipe takes whole or not at all */

struct heart {
	_Alignas(64) _Atomic uint64_t last;	/* beat; 0 before the first */
	_Atomic uint64_t beats;
	_Atomic uint64_t gap, gap_ended;	/* the longest since the last report */
	_Atomic bool away;			/* beats on another CPU: its own is offline */
	int cpu;
};

static struct {
	_Atomic uint64_t next_report;
	unsigned int count;
	struct heart hearts[MOST_CPUS];
} *body;

static bool pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

static void tell(uint64_t now)
{
	char line[4096];
	size_t length;
	unsigned int i;

	length = (size_t)snprintf(line, sizeof(line), "{\"t\":%llu,\"cpus\":[", (unsigned long long)now);
	for (i = 0; i < body->count; i++) {
		struct heart *heart = &body->hearts[i];
		uint64_t gap = atomic_exchange(&heart->gap, 0);
		uint64_t ended = atomic_load(&heart->gap_ended);
		uint64_t last = atomic_load(&heart->last);

		if (last && now > last && now - last > gap) {
			gap = now - last;
			ended = now;
		}
		length += (size_t)snprintf(line + length, sizeof(line) - length,
					   "%s[%d,%llu,%llu,%llu,%s]", i ? "," : "", heart->cpu,
					   (unsigned long long)atomic_load(&heart->beats),
					   (unsigned long long)gap, (unsigned long long)ended,
					   atomic_load(&heart->away) ? "true" : "false");
	}
	length += (size_t)snprintf(line + length, sizeof(line) - length, "]}\n");
	/* A reader that is held up must not hold up the heart: what finds no room is not told. */
	if (write(STDOUT_FILENO, line, length) < 0)
		return;
}

static void tell_start(void)
{
	unsigned int i;

	printf("{\"t\":%lld,\"period\":%u,\"hands_over\":%s,\"cpus\":[", now_ns(), PERIOD_NS,
	       access(HANDOVER, F_OK) ? "false" : "true");
	for (i = 0; i < body->count; i++)
		printf("%s%d", i ? "," : "", body->hearts[i].cpu);
	printf("]}\n");
	fflush(stdout);
}

static void beat(struct heart *heart)
{
	uint64_t now = (uint64_t)now_ns(), last = atomic_load(&heart->last);
	uint64_t due = atomic_load(&body->next_report);

	if (last && now - last > atomic_load(&heart->gap)) {
		atomic_store(&heart->gap_ended, now);
		atomic_store(&heart->gap, now - last);
	}
	atomic_store(&heart->last, now);
	atomic_fetch_add(&heart->beats, 1);
	if (now >= due && atomic_compare_exchange_strong(&body->next_report, &due, now + REPORT_NS))
		tell(now);
}

static void beat_for_ever(struct heart *heart)
{
	const struct timespec period = { .tv_nsec = PERIOD_NS };
	const struct sched_param most = { .sched_priority = 99 };

	pin(heart->cpu);
	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &most))	/* musl has none */
		perror("sched_setscheduler");
	mlockall(MCL_CURRENT | MCL_FUTURE);
	for (;;) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &period, NULL);
		/* The kernel moves us off a CPU that is taken away, and does not bring us back. */
		atomic_store(&heart->away, sched_getcpu() != heart->cpu && !pin(heart->cpu));
		beat(heart);
	}
}

static bool start(struct heart *heart)
{
	const pid_t parent = getpid();
	const pid_t pid = fork();

	if (pid)
		return pid > 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "lph-heartbeat");
	if (getppid() == parent)
		beat_for_ever(heart);
	_exit(0);
}

int command_heartbeat(int argc, char **argv)
{
	cpu_set_t set;
	char command;
	int cpu;

	(void)argc;
	(void)argv;
	body = mmap(NULL, sizeof(*body), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (body == MAP_FAILED || sched_getaffinity(0, sizeof(set), &set)) {
		perror("heartbeat");
		return 1;
	}
	for (cpu = 0; cpu < CPU_SETSIZE && body->count < MOST_CPUS; cpu++)
		if (CPU_ISSET(cpu, &set))
			body->hearts[body->count++].cpu = cpu;
	tell_start();
	fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
	for (cpu = 0; cpu < (int)body->count; cpu++)
		if (!start(&body->hearts[cpu])) {
			perror("fork");
			return 1;
		}
	while (read(STDIN_FILENO, &command, 1) > 0)
		;
	return 0;	/* the hearts stop with us */
}
