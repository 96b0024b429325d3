/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be seen, as one JSON object. */
#ifndef SIGHTS_H
#define SIGHTS_H

#include <dirent.h>

#include "acts.h"

static char big[1 << 18];
static int kmsg = -1;

static DIR *open_names(const char *path)
{
	return opendir(path);
}

/* The next name in a folder that is itself a folder and no hidden one. */
static const char *next_folder(DIR *folder)
{
	struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			return entry->d_name;
	return NULL;
}

/* The patch in transition and the state that tasks go to; -1 if there is none. */
static int transition_target(char *name, size_t size)
{
	DIR *patches = open_names(LIVEPATCH);
	const char *patch;
	char path[512];
	int target = -1;

	while ((patch = next_folder(patches))) {
		snprintf(path, sizeof(path), LIVEPATCH "/%s/transition", patch);
		if (read_number(path, 0) != 1)
			continue;
		snprintf(name, size, "%s", patch);
		snprintf(path, sizeof(path), LIVEPATCH "/%s/enabled", patch);
		target = (int)read_number(path, -1);
	}
	if (patches)
		closedir(patches);
	return target;
}

/* Whether a patch or a module is on its way out: the kernel frees them from a work item. */
static int freeing(void)
{
	DIR *folder = open_names("/sys/module");
	const char *module;
	char path[512];
	int found = 0;

	while ((module = next_folder(folder))) {
		if (strncmp(module, "lph_", 4))
			continue;
		snprintf(path, sizeof(path), LIVEPATCH "/%s/enabled", module);
		if (read_number(path, -1) == 1)
			continue;
		snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
		found |= read_number(path, 0) > 0;
	}
	if (folder)
		closedir(folder);
	return found;
}

static int is_sleeper(pid_t pid)
{
	int i;

	for (i = 0; i < SLEEPERS; i++)
		if (sleepers[i] == pid)
			return 1;
	return 0;
}

/* Whether some task that is no sleeper of ours has not switched. */
static int others_pending(int target)
{
	DIR *processes = open_names("/proc");
	const char *process;
	char path[512];
	int pending = 0;

	while (!pending && (process = next_folder(processes))) {
		if (process[0] < '0' || process[0] > '9' || is_sleeper(atoi(process)))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/patch_state", process);
		pending = read_number(path, target) != target;
	}
	if (processes)
		closedir(processes);
	return pending;
}

/*
 * Wait until nothing happens any more; return how long that took.
 *
 * The end of the transition is waited for, unless it is said to stall: then only until nobody has
 * to switch but sleepers of ours, and the kernel has asked these as well: it does that under its
 * mutex, which a write that it refuses has to wait for.
 */
static long long settle(int stalls, long long limit)
{
	const struct timespec moment = { .tv_nsec = 2000000 };
	const long long began = now_ms();
	char name[256];
	int target;

	for (;;) {
		target = transition_target(name, sizeof(name));
		if (target < 0 && !freeing())
			break;
		if (target >= 0 && stalls && !others_pending(target)) {
			act_enabled(name, target ? "1" : "0");
			if (transition_target(name, sizeof(name)) == target)
				break;
			continue;
		}
		if (now_ms() - began > limit)
			break;
		nanosleep(&moment, NULL);
	}
	return now_ms() - began;
}

static void see_patches(void)
{
	DIR *patches = open_names(LIVEPATCH), *objects;
	const char *patch, *object;
	const char *comma = "";
	char path[512];

	printf("\"patches\":{");
	while ((patch = next_folder(patches))) {
		snprintf(path, sizeof(path), LIVEPATCH "/%s/enabled", patch);
		printf("%s\"%s\":{\"enabled\":%ld,", comma, patch, read_number(path, -1));
		snprintf(path, sizeof(path), LIVEPATCH "/%s/transition", patch);
		printf("\"transition\":%ld,", read_number(path, -1));
		snprintf(path, sizeof(path), LIVEPATCH "/%s/replace", patch);
		printf("\"replace\":%ld,\"objects\":{", read_number(path, -1));
		snprintf(path, sizeof(path), LIVEPATCH "/%s", patch);
		objects = open_names(path);
		comma = "";
		while ((object = next_folder(objects))) {
			snprintf(path, sizeof(path), LIVEPATCH "/%s/%s/patched", patch, object);
			printf("%s\"%s\":%ld", comma, object, read_number(path, -1));
			comma = ",";
		}
		if (objects)
			closedir(objects);
		printf("}}");
		comma = ",";
	}
	if (patches)
		closedir(patches);
	printf("}");
}

static void see_modules(void)
{
	DIR *modules = open_names("/sys/module");
	const char *module, *comma = "";
	char path[512];

	printf(",\"modules\":{");
	while ((module = next_folder(modules))) {
		if (strncmp(module, "lph_", 4))
			continue;
		snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
		printf("%s\"%s\":%ld", comma, module, read_number(path, -1));
		comma = ",";
	}
	if (modules)
		closedir(modules);
	printf("}");
}

/* Whether ftrace lets somebody redirect a function (flag I): its line, in what is in `big`. */
static int redirected(const char *name)
{
	const size_t length = strlen(name);
	const char *line, *flags;

	for (line = big; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) || line[length] != ' ')
			continue;
		flags = strpbrk(line, "\nI");
		return flags && *flags == 'I';
	}
	return 0;
}

static void see_redirected(void)
{
	int pause = 0;
	size_t i;

	read_whole(TRACING "/enabled_functions", big, sizeof(big));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		pause |= redirected(names[i]);
	printf(",\"redirected\":{\"pause\":%d,\"lph_target_answer\":%d}",
	       pause, redirected("lph_target_answer"));
}

/* The version that a sleeper is in, by its stack: "lph_a" of lph_a_pause, "original", or "". */
static void see_sleepers(void)
{
	char path[64], stack[4096];
	const char *comma = "";
	char *end, *begin;
	int i;

	printf(",\"sleepers\":{");
	for (i = 0; i < SLEEPERS; i++) {
		if (!sleepers[i])
			continue;
		snprintf(path, sizeof(path), "/proc/%d/patch_state", sleepers[i]);
		printf("%s\"%d\":{\"state\":%ld,\"version\":\"", comma, i, read_number(path, -9));
		snprintf(path, sizeof(path), "/proc/%d/stack", sleepers[i]);
		read_whole(path, stack, sizeof(stack));
		end = strstr(stack, "_pause+");
		for (begin = end; begin > stack && begin[-1] != ' ';)
			begin--;
		if (end && strncmp(begin, "__", 2))
			printf("%.*s", (int)(end - begin), begin);
		else if (end)
			printf("original");
		printf("\"}");
		comma = ",";
	}
	printf("}");
}

/* How often the tracer saw this process call the function; -1 if it is off. */
static long traced_calls(void)
{
	char text[64], mine[32];
	char *at = big;
	long count = 0;

	read_whole(TRACING "/current_tracer", text, sizeof(text));
	if (strncmp(text, "function", 8))
		return -1;
	snprintf(mine, sizeof(mine), "-%d ", getpid());
	read_whole(TRACING "/trace", big, sizeof(big));
	while ((at = strstr(at, mine))) {
		at += strlen(mine);
		count += !strncmp(at + strcspn(at, "_\n"), "__", 2); /* the function's name */
	}
	return count;
}

static void clear_trace(void)
{
	close(open(TRACING "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC));
}

static void see_calls(void)
{
	clear_trace();
	printf(",\"reached\":%ld", call_function());
	printf(",\"traced\":%ld", traced_calls());
	printf(",\"answer\":%ld", read_number("/sys/module/lph_target/parameters/answer", -1));
}

/* What the kernel logged since the last time, as far as it is of livepatches. */
static void see_log(void)
{
	const char *comma = "";
	char record[2048], *text, *end;
	ssize_t got;

	printf(",\"log\":[");
	while ((got = read(kmsg, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		if (got <= 0)
			continue;
		record[got] = '\0';
		text = strchr(record, ';');
		end = text ? strchr(text, '\n') : NULL;
		if (!end || (!strstr(text, "lph-callback: ") && !strstr(text, "livepatch: ")))
			continue;
		*end = '\0';
		printf("%s\"%s\"", comma, text + 1);
		comma = ",";
	}
	printf("]");
}

static void see(int error, long long settled)
{
	printf("{\"errno\":%d,\"settled_ms\":%lld,", error, settled);
	see_patches();
	see_modules();
	see_redirected();
	see_sleepers();
	see_calls();
	printf(",\"cpu1\":%ld", read_number("/sys/devices/system/cpu/cpu1/online", -1));
	see_log();
	printf("}\n");
	fflush(stdout);
}

#endif
