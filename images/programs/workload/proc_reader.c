// SPDX-License-Identifier: GPL-2.0-only
/*
 * proc-reader: opens, reads to the end and closes one file, over and over.
 *
 * What is in it may well change when a patch comes on, so only this is wrong: a call that fails,
 * or nothing to read where there was something at the start.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "workload.h"

static bool empty_at_start;

/* The bytes in the file, or -1. */
static ssize_t read_all(void)
{
	static char buffer[65536];
	ssize_t total = 0;
	ssize_t got;
	int fd = open(options.file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		total += got;
	close(fd);
	return got < 0 ? -1 : total;
}

static bool prepare(void)
{
	ssize_t length;

	if (!options.file) {
		complain("proc-reader needs --file");
		return false;
	}
	length = read_all();
	if (length < 0)
		complain("cannot read %s: %s", options.file, strerror(errno));
	empty_at_start = length == 0;
	return length >= 0;
}

static void work(struct worker *self)
{
	while (!stopping()) {
		ssize_t length = read_all();

		done(self, length > 0 || (length == 0 && empty_at_start));
	}
}

const struct kind proc_reader = {
	.name = "proc-reader",
	.summary = "reads one file over and over (--file)",
	.prepare = prepare,
	.work = work,
};
