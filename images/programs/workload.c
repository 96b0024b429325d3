// SPDX-License-Identifier: GPL-2.0-only
/*
 * workload - keeps a guest busy and tells how it fares
 *
 * Usage: workload KIND [--workers N] [--interval-ms N] [options of the kind] [-- ARGUMENT...]
 *
 * Standard output is JSON, a line each: first {"t": T, "workers": N} when all workers run, then for
 * each worker, each 100 ms, {"t": T, "worker": I, "ops": O, "errors": E, "gap": G}. T is
 * CLOCK_BOOTTIME in ns; O and E count from the start; G is the longest time in ns between two
 * operations of this worker since its last report, one still going on included.
 *
 * SIGTERM ends it with a last line for each worker, and exit status 0, or 1 if there were errors;
 * 2 if it could not start. SIGUSR1 releases what a kind holds (sleepers).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "workload.h"

#define CANNOT_START	2

struct options options = {
	.tasks = 4,
	.interval_ms = 100,
	.folder = "/tmp",
	.syscall = -1,
};

static const struct kind *const kinds[] = {
	&idle, &proc_reader, &syscall_hammer, &fork_storm,
	&fs_churn, &net_loopback, &sleepers, &stress_ng, &suite,
};

static const struct option long_options[] = {
	{"workers", required_argument, NULL, 'w'},
	{"tasks", required_argument, NULL, 't'},
	{"interval-ms", required_argument, NULL, 'i'},
	{"file", required_argument, NULL, 'f'},
	{"folder", required_argument, NULL, 'd'},
	{"park", required_argument, NULL, 'p'},
	{"pid-file", required_argument, NULL, 'P'},
	{"syscall", required_argument, NULL, 's'},
	{NULL, 0, NULL, 0},
};

static void usage(void)
{
	size_t i;

	fputs("usage: workload KIND [options] [-- ARGUMENT...]\nkinds:\n", stderr);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		fprintf(stderr, "  %-16s%s\n", kinds[i]->name, kinds[i]->summary);
	exit(CANNOT_START);
}

static const struct kind *find_kind(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i]->name, name))
			return kinds[i];
	complain("no kind of work is called %s", name);
	usage();
	return NULL;
}

/* Numbers of either sign up to 64 bits, decimal or 0x: system calls take all of them. */
static long number(const char *text)
{
	char *end;
	long value;

	errno = 0;
	value = text[0] == '-' ? strtol(text, &end, 0) : (long)strtoul(text, &end, 0);
	if (errno || end == text || *end) {
		complain("%s is no number", text);
		exit(CANNOT_START);
	}
	return value;
}

static unsigned int count(const char *text, unsigned int largest)
{
	long value = number(text);

	if (value < 1 || value > (long)largest) {
		complain("%s is not between 1 and %u", text, largest);
		exit(CANNOT_START);
	}
	return (unsigned int)value;
}

static void parse_options(int argc, char **argv)
{
	int option;
	int i;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'w':
			options.workers = count(optarg, MAX_WORKERS);
			break;
		case 't':
			options.tasks = count(optarg, MAX_TASKS);
			break;
		case 'i':
			options.interval_ms = count(optarg, 60000);
			break;
		case 'f':
			options.file = optarg;
			break;
		case 'd':
			options.folder = optarg;
			break;
		case 'p':
			options.park = optarg;
			break;
		case 'P':
			options.pid_file = optarg;
			break;
		case 's':
			options.syscall = number(optarg);
			break;
		default:
			usage();
		}
	}
	if (argc - optind > MAX_ARGUMENTS) {
		complain("a system call has at most %d arguments", MAX_ARGUMENTS);
		exit(CANNOT_START);
	}
	for (i = optind; i < argc; i++)
		options.arguments[i - optind] = number(argv[i]);
}

/* Wait for a signal of `signals` until `until` (CLOCK_BOOTTIME); 0 when that has come. */
static int wait_signal(const sigset_t *signals, uint64_t until)
{
	uint64_t now = now_ns();
	struct timespec left = {0};
	int signal;

	if (until > now) {
		left.tv_sec = (time_t)((until - now) / 1000000000u);
		left.tv_nsec = (long)((until - now) % 1000000000u);
	}
	signal = sigtimedwait(signals, NULL, &left);
	return signal < 0 ? 0 : signal;
}

/* Report at even steps of time until somebody wants an end. */
static void attend(const struct kind *kind, const sigset_t *signals)
{
	const uint64_t interval = options.interval_ms * 1000000ull;
	uint64_t next = now_ns() + interval;
	int signal;

	for (;;) {
		signal = wait_signal(signals, next);
		if (signal == SIGTERM || signal == SIGINT)
			return;
		if (signal == SIGUSR1 && kind->release)
			kind->release();
		reap(kind);
		if (now_ns() < next)
			continue;
		if (kind->tick)
			kind->tick();
		report();
		next += interval;
		if (next < now_ns())	/* held up for long: don't catch up in a burst */
			next = now_ns() + interval;
	}
}

static uint64_t all_errors(void)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < worker_count; i++)
		sum += atomic_load(&workers[i].errors);
	return sum;
}

int main(int argc, char **argv)
{
	const struct kind *kind;
	uint64_t errors;
	sigset_t signals;

	if (argc < 2)
		usage();
	kind = find_kind(argv[1]);
	parse_options(argc - 1, argv + 1);

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	if (kind->prepare && !kind->prepare())
		return CANNOT_START;
	if (!start_workers(kind))
		return CANNOT_START;
	report_start();
	attend(kind, &signals);
	stop_workers(kind);
	report();	/* at once: to end a thousand tasks takes seconds, in which no worker works */
	errors = all_errors();
	if (kind->finish)
		kind->finish();
	if (all_errors() != errors)
		report();
	return all_errors() ? 1 : 0;
}
