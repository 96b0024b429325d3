// SPDX-License-Identifier: GPL-2.0-only
/* The lines on standard output: see workload.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "workload.h"

#define LINE	192

/* All lines of a report in as few writes as may be, and none in part. */
static void put(const char *text, size_t length)
{
	while (length) {
		ssize_t written = write(STDOUT_FILENO, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			exit(1);	/* nobody listens: the workers die with us */
		text += written;
		length -= (size_t)written;
	}
}

void report_start(void)
{
	char line[LINE];
	int length = snprintf(line, sizeof(line), "{\"t\": %" PRIu64 ", \"workers\": %u}\n",
			      now_ns(), worker_count);

	put(line, (size_t)length);
}

/* The longest gap since the last report; the one that is still open counts as far as it is. */
static uint64_t take_gap(struct worker *worker, uint64_t now)
{
	uint64_t last = atomic_load(&worker->last);
	uint64_t gap = atomic_exchange(&worker->longest_gap, 0);
	uint64_t open = now > last ? now - last : 0;

	/* A worker that has crashed stands still for ever; one that has finished owes nothing. */
	return atomic_load(&worker->running) && open > gap ? open : gap;
}

void report(void)
{
	static char text[MAX_WORKERS * LINE];
	size_t length = 0;
	unsigned int i;

	for (i = 0; i < worker_count; i++) {
		uint64_t now = now_ns();
		uint64_t gap = take_gap(&workers[i], now);

		length += (size_t)snprintf(text + length, LINE,
			"{\"t\": %" PRIu64 ", \"worker\": %u, \"ops\": %" PRIu64
			", \"errors\": %" PRIu64 ", \"gap\": %" PRIu64 "}\n",
			now, i, atomic_load(&workers[i].operations),
			atomic_load(&workers[i].errors), gap);
	}
	put(text, length);
}
