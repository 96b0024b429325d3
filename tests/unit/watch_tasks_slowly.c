// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sweeps this process, which has not moved, and then has. Whoever reads its patch_state is held up
 * for 50 ms right after, as by a busy host.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tasks.h"
#include "watch.h"

static const char *patch_state;
static long long read_at;

ssize_t slow_read_file(const char *path, char *buffer, size_t size)
{
	char mine[64];

	if (!strstr(path, "/patch_state"))
		return read_file(path, buffer, size);
	snprintf(mine, sizeof(mine), "/proc/%d/", getpid());
	if (strncmp(path, mine, strlen(mine)))
		return -1;
	read_at = now_ns();
	usleep(50000);
	return snprintf(buffer, size, "%s\n", patch_state);
}

int main(void)
{
	long long seen_old, seen_new;

	tasks_begin(1, 0);
	patch_state = "0";
	tasks_sweep(false);
	seen_old = read_at;
	patch_state = "1";
	tasks_sweep(false);
	seen_new = read_at;
	printf("{\"e\":\"read\",\"old\":%lld,\"new\":%lld}\n", seen_old, seen_new);
	return 0;
}
