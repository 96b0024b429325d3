// SPDX-License-Identifier: GPL-2.0-only
/*
 * Following transitions by the kernel's own events.
 *
 * kprobe events on the livepatch core's functions (kernel/livepatch/transition.c) give the
 * moments, stamped by the kernel with the boot clock; /dev/kmsg gives the patch's name. Tasks
 * are swept from /proc when the kernel has just tried to move them, and now and then between.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tasks.h"
#include "watch.h"

#define INSTANCE TRACING "/instances/lph_watch"
#define SWEEP_EVERY_NS 50000000LL
#define SWEEP_SHARE 10 /* sweeping may take a tenth of the time, whatever a sweep costs */
#define BLOCKERS_AFTER_NS 400000000LL
#define BLOCKERS_EVERY_NS 500000000LL

#define KERNEL "klp_"		/* the livepatch core's own functions */
#define MODELS "lph_models:lph_"	/* their counterparts in the module of the other models */

#ifdef __powerpc64__	/* whose kernel has no names for arguments */
#define SECOND_ARGUMENT	"%gpr4"
#else
#define SECOND_ARGUMENT	"$arg2"
#endif

/* The kernel clears a task's mark in one place for all of them. */
static const struct {
	const char *event, *function, *arguments;
	const char *only;	/* there is one of these alone */
} probes[] = {
	{ "p:lph_watch/init", "init_transition", " state=" SECOND_ARGUMENT ":s32", NULL },
	{ "p:lph_watch/start", "start_transition", "", NULL },
	{ "p:lph_watch/try", "try_complete_transition", "", NULL },
	{ "r:lph_watch/tried", "try_complete_transition", "", NULL },
	{ "p:lph_watch/complete", "complete_transition", "", NULL },
	{ "p:lph_watch/reverse", "reverse_transition", "", NULL },
	{ "p:lph_watch/force", "force_transition", "", KERNEL },
	{ "p:lph_watch/abandon", "abandon_transition", "", MODELS },
	/* At its end: an interrupt may come between the beginning and the move. */
	{ "r:lph_watch/self", "klp_update_patch_state", "", "" },
};

static const char *whose = KERNEL;

static struct {
	bool active, sweep_now;
	int target;
	long long began, last_sweep, last_blockers, sweep_cost;
} transition;

static void say_mark(const char *what, long long t)
{
	printf("{\"e\":\"mark\",\"what\":\"%s\",\"t\":%lld,\"target\":%d}\n", what, t, transition.target);
}

static void begin(int target, long long t, bool afresh)
{
	transition.active = transition.sweep_now = true;
	transition.target = target;
	transition.began = transition.last_blockers = t;
	/* The other models have marks of their own, or none. */
	tasks_begin(target, afresh && !strcmp(whose, KERNEL) ? t : 0);
}

/* Lines: "  comm-123   [001] d..2.    12.345678: try: (klp_try_complete_transition+0x0/0x2e0)" */
static void on_trace_line(char *line)
{
	char *cpu = strstr(line, " ["), *stamp, *name, *end, *dash, *state;
	long long t;
	int pid = 0;

	if (!cpu)
		return;
	*cpu = '\0';
	dash = strrchr(line, '-');
	if (dash)
		pid = atoi(dash + 1);
	stamp = strchr(cpu + 2, ']');
	name = stamp ? strstr(stamp, ": ") : NULL;
	if (!name)
		return;
	*name = '\0';
	name += 2;
	stamp = strrchr(stamp, ' ');
	t = strtoll(stamp, &end, 10) * 1000000000LL;
	if (*end == '.')
		t += strtoll(end + 1, NULL, 10) * 1000LL;
	end = strchr(name, ':');
	if (!end)
		return;
	*end = '\0';
	if (!strcmp(name, "self")) {
		tasks_moved_itself(pid, t);
		return;
	}
	if (!strcmp(name, "init")) {
		state = strstr(end + 1, "state=");
		begin(state ? atoi(state + 6) : 1, t, true);
	} else if (!strcmp(name, "reverse")) {
		begin(!transition.target, t, false);
	} else if (!strcmp(name, "tried")) {
		transition.sweep_now = transition.active;
		return;
	} else if (!strcmp(name, "abandon")) {
		transition.active = false;
	} else if (!strcmp(name, "complete")) {
		/* One look more: nobody may be left in either state when it is over. */
		tasks_completed(t);
		transition.active = false;
		transition.sweep_now = true;
	}
	say_mark(name, t);
}

static void on_lines(int fd, char *buffer, size_t size, size_t *have, void (*handle)(char *line))
{
	ssize_t got;

	while ((got = read(fd, buffer + *have, size - 1 - *have)) > 0) {
		char *line = buffer, *newline;

		*have += (size_t)got;
		buffer[*have] = '\0';
		while ((newline = strchr(line, '\n'))) {
			*newline = '\0';
			handle(line);
			line = newline + 1;
		}
		*have = strlen(line);
		if (*have == size - 1)
			*have = 0;
		memmove(buffer, line, *have);
	}
}

/* Records: "6,123,4567890,-;livepatch: 'name': starting patching transition" */
static void on_kmsg(char *record)
{
	char *text = strchr(record, ';');
	char *stamp = strchr(record, ',');

	stamp = stamp ? strchr(stamp + 1, ',') : NULL;
	if (!text || !stamp || strncmp(text + 1, "livepatch: ", 11))
		return;
	printf("{\"e\":\"kmsg\",\"t\":%lld,\"us\":%lld,\"m\":", now_ns(), strtoll(stamp + 1, NULL, 10));
	json_string(stdout, text + 1, strcspn(text + 1, "\n"));
	printf("}\n");
}

static void read_kmsg(int fd)
{
	char record[8192];
	ssize_t got;

	/* One record a read; EPIPE means that some were overwritten before we came. */
	while ((got = read(fd, record, sizeof(record) - 1)) > 0 || (got < 0 && errno == EPIPE)) {
		if (got < 0)
			continue;
		record[got] = '\0';
		on_kmsg(record);
	}
}

static int set_up_tracing(char *why, size_t size)
{
	size_t i;
	int error, fd;

	if (mkdir(INSTANCE, 0700) && errno != EEXIST) {
		snprintf(why, size, "mkdir %s: %s", INSTANCE, strerror(errno));
		return -1;
	}
	write_file(INSTANCE "/trace_clock", "boot");
	write_file(INSTANCE "/buffer_size_kb", "256");
	write_file(INSTANCE "/buffer_percent", "0");
	fd = open(TRACING "/kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);
	for (i = 0; fd >= 0 && i < sizeof(probes) / sizeof(probes[0]); i++) {
		char line[128];

		if (probes[i].only && *probes[i].only && strcmp(probes[i].only, whose))
			continue;
		snprintf(line, sizeof(line), "%s %s%s%s", probes[i].event, probes[i].only ?: whose,
			 probes[i].function, probes[i].arguments);
		if (write(fd, line, strlen(line)) < 0)
			snprintf(why, size, "%s: %s", line, strerror(errno));
	}
	if (fd < 0) {
		snprintf(why, size, "kprobe_events: %s", strerror(errno));
		return -1;
	}
	close(fd);
	error = write_file(INSTANCE "/events/lph_watch/enable", "1");
	if (error) {
		snprintf(why, size, "enable: %s", strerror(-error));
		return -1;
	}
	return open(INSTANCE "/trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static void tear_down_tracing(int fd)
{
	size_t i;

	write_file(INSTANCE "/events/lph_watch/enable", "0");
	if (fd >= 0)
		close(fd);
	fd = open(TRACING "/kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);
	for (i = 0; fd >= 0 && i < sizeof(probes) / sizeof(probes[0]); i++) {
		char line[64];

		if (probes[i].only && *probes[i].only && strcmp(probes[i].only, whose))
			continue;
		snprintf(line, sizeof(line), "-:%s", strchr(probes[i].event, ':') + 1);
		if (write(fd, line, strlen(line)) < 0)
			perror(line);
	}
	if (fd >= 0)
		close(fd);
	rmdir(INSTANCE);
}

/* Without kprobes the transition attribute must do: is any patch in transition, and whereto? */
static void poll_sysfs(void)
{
	FILE *names = popen("cd /sys/kernel/livepatch 2>/dev/null && "
			    "grep -l 1 */transition 2>/dev/null | head -n 1", "r");
	char name[256], path[320], text[8];

	if (!names)
		return;
	if (fgets(name, sizeof(name), names)) {
		name[strcspn(name, "/\n")] = '\0';
		snprintf(path, sizeof(path), "/sys/kernel/livepatch/%s/enabled", name);
		if (!transition.active && read_file(path, text, sizeof(text)) > 0)
			begin(atoi(text), now_ns(), false);
	} else {
		transition.active = false;
	}
	pclose(names);
}

static void sweep_if_due(void)
{
	long long now = now_ns();
	long long gap = transition.sweep_cost * SWEEP_SHARE;
	bool blockers;

	if (gap < SWEEP_EVERY_NS)
		gap = SWEEP_EVERY_NS;
	if (!transition.sweep_now && (!transition.active || now - transition.last_sweep < gap))
		return;
	blockers = transition.active && now - transition.began > BLOCKERS_AFTER_NS &&
		   now - transition.last_blockers > BLOCKERS_EVERY_NS;
	transition.sweep_now = false;
	transition.sweep_cost = tasks_sweep(blockers);
	transition.last_sweep = now_ns();
	if (blockers)
		transition.last_blockers = transition.last_sweep;
}

int command_transitions(int argc, char **argv)
{
	static char trace[65536], commands[64];
	char why[256] = "";
	size_t have = 0;
	struct pollfd fds[3] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), .events = POLLIN },
	};

	if (argc > 0 && !strcmp(argv[0], "models"))
		whose = MODELS;
	lseek(fds[1].fd, 0, SEEK_END);
	tasks_begin(1, 0);
	fds[2].fd = set_up_tracing(why, sizeof(why));
	fds[2].events = POLLIN;
	printf("{\"e\":\"ready\",\"t\":%lld,\"tracing\":%s,\"why\":", now_ns(),
	       fds[2].fd >= 0 ? "true" : "false");
	json_string(stdout, why, strlen(why));
	printf("}\n");
	for (;;) {
		fflush(stdout);
		if (poll(fds, 3, transition.active ? 10 : 100) < 0 && errno != EINTR)
			break;
		if (fds[2].revents & POLLIN)
			on_lines(fds[2].fd, trace, sizeof(trace), &have, on_trace_line);
		if (fds[2].fd < 0)
			poll_sysfs();
		if (fds[1].revents & (POLLIN | POLLERR))
			read_kmsg(fds[1].fd);
		sweep_if_due();
		if ((fds[0].revents & (POLLIN | POLLHUP)) &&
		    read(STDIN_FILENO, commands, sizeof(commands)) <= 0)
			break;
	}
	tear_down_tracing(fds[2].fd);
	return 0;
}
