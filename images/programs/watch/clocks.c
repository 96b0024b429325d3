// SPDX-License-Identifier: GPL-2.0-only
/*
 * How far a trace instance's clock is ahead of CLOCK_BOOTTIME.
 *
 * A mark is written into the instance between two readings of the boot clock; the narrowest of a
 * few tries counts.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch.h"

#define TRIES 5

/* The last mark in the text of a trace: "  watch-93  [000] .....    12.345678: tracing_mark_write: lph". */
static long long last_mark(char *trace)
{
	char *line = NULL, *next = trace, *stamp, *end;
	long long t;

	while ((next = strstr(next, ": tracing_mark_write: lph"))) {
		line = next;
		next++;
	}
	if (!line)
		return -1;
	*line = '\0';
	stamp = strrchr(trace, ' ');
	if (!stamp)
		return -1;
	t = strtoll(stamp + 1, &end, 10) * 1000000000LL;
	if (*end == '.')
		t += strtoll(end + 1, NULL, 10) * 1000LL;
	return t;
}

int command_clocks(int argc, char **argv)
{
	static char trace[262144];
	char marker[256], path[256];
	long long best_width = -1, boot = 0, local = 0;
	int i;

	if (argc < 1)
		return 2;
	snprintf(marker, sizeof(marker), "%s/trace_marker", argv[0]);
	snprintf(path, sizeof(path), "%s/trace", argv[0]);
	for (i = 0; i < TRIES; i++) {
		long long before = now_ns();
		int error = write_file(marker, "lph\n");
		long long after = now_ns();
		long long stamp;

		if (error || read_file(path, trace, sizeof(trace)) < 0)
			continue;
		stamp = last_mark(trace);
		if (stamp < 0 || (best_width >= 0 && after - before >= best_width))
			continue;
		best_width = after - before;
		boot = before + best_width / 2;
		local = stamp;
	}
	if (best_width < 0) {
		fprintf(stderr, "%s: no mark could be read back\n", path);
		return 1;
	}
	/* The trace shows microseconds. */
	printf("{\"boot\":%lld,\"local\":%lld,\"uncertainty\":%lld}\n", boot, local,
	       best_width / 2 + 1000);
	return 0;
}
