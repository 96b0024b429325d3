/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_WORKERS	256
#define MAX_TASKS	10000
#define MAX_ARGUMENTS	6

/*
 * What a worker tells. It lies in memory that all processes share, one cache line or more for
 * each worker, so that counting costs no more than a store to a line that is its own.
 */
struct worker {
	_Alignas(64) _Atomic uint64_t operations;
	_Atomic uint64_t errors;
	_Atomic uint64_t longest_gap;	/* ns, since the last report */
	_Atomic uint64_t last;		/* CLOCK_BOOTTIME ns of the last operation */
	_Atomic bool running;
	unsigned int index;
	int cpu;
	pid_t pid;
};

struct options {
	unsigned int workers;		/* 0: one for each CPU */
	unsigned int tasks;		/* sleepers: how many are parked */
	unsigned int interval_ms;	/* between two reports */
	const char *file;		/* proc-reader, suite */
	const char *folder;		/* fs-churn, stress-ng: where to write */
	const char *park;		/* sleepers: the name of a system call */
	const char *pid_file;		/* sleepers: told where to send SIGUSR1 */
	long syscall;			/* syscall-hammer: its number */
	long arguments[MAX_ARGUMENTS];
};

/*
 * One sort of load. Only `work` must be there. `work` runs in each worker's own process until
 * stopping(); all else runs in the parent, which also reports.
 */
struct kind {
	const char *name;
	const char *summary;
	bool (*prepare)(void);		/* before there are workers; false, after complain(): no go */
	void (*work)(struct worker *self);
	void (*release)(void);		/* on SIGUSR1 */
	void (*tick)(void);		/* before each report */
	bool (*child_ended)(pid_t pid, int status);	/* whether it was one of the kind's own */
	void (*finish)(void);		/* after the workers, before the last report */
};

extern struct options options;
extern const struct kind idle, proc_reader, syscall_hammer, fork_storm, fs_churn, net_loopback,
			 sleepers, stress_ng, suite;

/* common.c */
uint64_t now_ns(void);
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sleep_ms(unsigned int ms);
bool stopping(void);
void listen_to_signals(void);
void die_with_parent(pid_t parent);

/* A worker has done one thing, well or not. Nothing counts as wrong once it has been told to stop. */
void done(struct worker *self, bool well);
/* Count an error without an operation. */
void went_wrong(struct worker *self);

/* workers.c */
extern struct worker *workers;
extern unsigned int worker_count;

/* Fork a child that dies with its parent, with signals as a worker has them. -1 on failure. */
pid_t fork_child(const char *name);
bool start_workers(const struct kind *kind);
bool reap(const struct kind *kind);
void stop_workers(const struct kind *kind);

/* report.c */
void report_start(void);
void report(void);

/* idle.c */
void beat_until_stopped(struct worker *self);

#endif
