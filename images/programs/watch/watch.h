/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /lph/watch: the harness's eyes and hands beside a livepatch, in the guest.
 *
 * One static program with several uses, since each fork and exec under emulation
 * costs milliseconds. Everything it says is one JSON document a line on stdout;
 * every time stamp is CLOCK_BOOTTIME in nanoseconds.
 */
#ifndef LPH_WATCH_H
#define LPH_WATCH_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define TRACING "/sys/kernel/tracing"

long long now_ns(void);

/* Write a JSON string, quotes included; bytes that are not printable ASCII are escaped. */
void json_string(FILE *out, const char *text, size_t length);

/* Read a small file whole; returns its length, or -errno. The text is NUL-terminated. */
ssize_t read_file(const char *path, char *buffer, size_t size);

/* Write a small file; returns 0, or -errno. */
int write_file(const char *path, const char *text);

/* What /proc/PID/stat says of a task. */
struct task_stat {
	char comm[64];
	char state;
	unsigned int flags;
	unsigned long long start_ticks;
};

#define TASK_IS_KTHREAD 0x00200000u /* PF_KTHREAD, include/linux/sched.h */

/* Parse the stat file at @path; returns 0, or -errno when the task is gone. */
int read_task_stat(const char *path, struct task_stat *stat);

int command_load(int argc, char **argv);
int command_unload(int argc, char **argv);
int command_bytes(int argc, char **argv);
int command_shadows(int argc, char **argv);
int command_vitals(int argc, char **argv);
int command_witness(int argc, char **argv);
int command_clocks(int argc, char **argv);
int command_heartbeat(int argc, char **argv);
int command_transitions(int argc, char **argv);

#endif
