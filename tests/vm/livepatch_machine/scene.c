// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's side of the random sequences: a line in is one act, a line out is all that is to be
 * seen afterwards, so that a step costs one message each way.
 *
 *	[stalls] ACT [ARGUMENTS...]
 *
 * "stalls" says that a transition is expected to wait for a sleeper: its end is not waited for.
 * An act as arguments of the program is done alone, and what came of it is printed: for scripts.
 */
#define _GNU_SOURCE
#include "sights.h"

#define LIMIT_MS 12000

static int act(int argc, char **argv)
{
	const char *what = argv[0];
	const char *one = argc > 1 ? argv[1] : "", *two = argc > 2 ? argv[2] : "";

	if (!strcmp(what, "load"))
		return act_load(one, two);
	if (!strcmp(what, "unload"))
		return act_unload(one);
	if (!strcmp(what, "enabled"))
		return act_enabled(one, two);
	if (!strcmp(what, "fail"))
		return act_fail(one, two);
	if (!strcmp(what, "cpu"))
		return act_cpu(one);
	if (!strcmp(what, "trace"))
		return act_trace(!strcmp(one, "on"));
	if (!strcmp(what, "enter"))
		return act_enter(atoi(one) % SLEEPERS);
	if (!strcmp(what, "leave"))
		return act_leave(atoi(one) % SLEEPERS);
	return strcmp(what, "look") ? ENOSYS : 0;
}

static int split(char *line, char **words, int most)
{
	int count = 0;
	char *word;

	for (word = strtok(line, " \n"); word && count < most; word = strtok(NULL, " \n"))
		words[count++] = word;
	return count;
}

/*
 * For scripts: `sleep` calls the function and stays in it, `call` tells the version that a call
 * reaches, `traced` how often the tracer saw one call.
 */
static int alone(int argc, char **argv)
{
	if (!strcmp(argv[0], "sleep"))
		sleep_in_it();
	if (!strcmp(argv[0], "call")) {
		printf("%ld\n", call_function());
	} else if (!strcmp(argv[0], "traced")) {
		clear_trace();
		call_function();
		printf("%ld\n", traced_calls());
	} else {
		if (!strcmp(argv[0], "trace"))
			prepare_trace();
		printf("%d\n", act(argc, argv));
	}
	return 0;
}

int main(int argc, char **argv)
{
	char line[512], *words[8];
	long long settled;
	int count, error, stalls;

	if (argc > 1)
		return alone(argc - 1, argv + 1);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	lseek(kmsg, 0, SEEK_END);
	prepare_trace();
	while (fgets(line, sizeof(line), stdin)) {
		count = split(line, words, 8);
		stalls = count && !strcmp(words[0], "stalls");
		if (count <= stalls)
			continue;
		begin_spinning();
		error = act(count - stalls, words + stalls);
		end_spinning();
		settled = settle(stalls, LIMIT_MS);
		see(error, settled);
	}
	return 0;
}
