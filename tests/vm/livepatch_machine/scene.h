/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's side of the random sequences: see scene.c. */
#ifndef SCENE_H
#define SCENE_H

/* Names in sysfs are far shorter than the compiler must believe. */
#pragma GCC diagnostic ignored "-Wformat-truncation"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define LIVEPATCH	"/sys/kernel/livepatch"
#define TRACING		"/sys/kernel/tracing"
#define MAGIC		0x6c706872L
#define SLEEPERS	4

/* One function of three names: the kernel tells one of them, whichever it finds first. */
static const char *const names[] = { "__do_sys_pause", "__x64_sys_pause", "__ia32_sys_pause" };

static inline long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Files of the kernel are read whole; return the length, or -errno. */
static inline ssize_t read_whole(const char *path, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (length < size - 1) {
		got = read(fd, text + length, size - 1 - length);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	close(fd);
	text[length] = '\0';
	return got < 0 ? -1 : (ssize_t)length;
}

static inline long read_number(const char *path, long otherwise)
{
	char text[64];

	return read_whole(path, text, sizeof(text)) <= 0 ? otherwise : strtol(text, NULL, 10);
}

/* Return 0 or the errno. */
static inline int write_text(const char *path, const char *text)
{
	int error = 0;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	close(fd);
	return error;
}

#endif
