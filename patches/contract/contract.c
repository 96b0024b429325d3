// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks that work by the contract, each in its own way: see lph_contract.c. Ends when killed.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "contract.h"

#define BETWEEN_US 3000

static const struct way {
	const char *name;
	unsigned int first, second;	/* 0: none */
	int between_us;
} ways[] = {
	{ "by-stack", LPH_STACK, 0, BETWEEN_US },
	{ "by-syscall", LPH_SYSCALL, 0, BETWEEN_US },
	{ "by-task", LPH_MAKE, LPH_TAKE, BETWEEN_US },
	{ "hands-over", LPH_HAND_OVER, 0, BETWEEN_US },
	{ "receives", LPH_RECEIVE, 0, 0 },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void *work(void *which)
{
	const struct way *way = which;
	int fd = open("/proc/lph_contract", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	prctl(PR_SET_NAME, way->name);
	for (;;) {
		ioctl(fd, way->first);
		if (way->between_us)
			usleep(way->between_us);
		if (way->second) {
			ioctl(fd, way->second);
			usleep(way->between_us);
		}
	}
}

int main(void)
{
	pthread_t threads[WAYS];
	size_t i;

	for (i = 0; i < WAYS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)&ways[i]))
			return 1;
	return pthread_join(threads[0], NULL);
}
