// SPDX-License-Identifier: GPL-2.0-only
/* fs-churn: files are made, written, synced, read back, compared, renamed and removed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workload.h"

#define LONGEST		32768

/* A content that differs from one worker, and from one round, to the next. */
static void fill(unsigned char *content, size_t length, uint32_t seed)
{
	uint32_t state = seed * 2654435761u + 1;
	size_t i;

	for (i = 0; i < length; i++) {
		state = state * 1664525u + 1013904223u;	/* Numerical Recipes' generator */
		content[i] = (unsigned char)(state >> 24);
	}
}

static bool write_all(int fd, const unsigned char *content, size_t length)
{
	size_t written = 0;

	while (written < length) {
		ssize_t n = write(fd, content + written, length - written);

		if (n <= 0)
			return false;
		written += (size_t)n;
	}
	return fsync(fd) == 0;
}

static bool reads_back(int fd, const unsigned char *content, size_t length)
{
	static unsigned char back[LONGEST + 1];
	size_t got = 0;

	while (got <= length) {
		ssize_t n = pread(fd, back + got, sizeof(back) - got, (off_t)got);

		if (n < 0)
			return false;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return got == length && !memcmp(content, back, length);
}

static bool one_file(int folder, uint32_t seed)
{
	static unsigned char content[LONGEST];
	const size_t length = 1 + seed * 4099u % LONGEST;
	struct stat status;
	bool well;
	int fd;

	fill(content, length, seed);
	fd = openat(folder, "new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	well = write_all(fd, content, length) && reads_back(fd, content, length);
	close(fd);
	if (!well || renameat(folder, "new", folder, "old")) {
		unlinkat(folder, "new", 0);
		return false;
	}
	fd = openat(folder, "old", O_RDONLY | O_CLOEXEC);
	well = fd >= 0 && !fstat(fd, &status) && (size_t)status.st_size == length &&
	       reads_back(fd, content, length);
	if (fd >= 0)
		close(fd);
	return !unlinkat(folder, "old", 0) && well;
}

static void work(struct worker *self)
{
	char path[PATH_MAX];
	uint32_t round = 0;
	int folder = -1;

	snprintf(path, sizeof(path), "%s/lph-churn-XXXXXX", options.folder);
	if (mkdtemp(path))
		folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0) {
		complain("cannot make %s: %s", path, strerror(errno));
		_exit(1);
	}
	while (!stopping()) {
		done(self, one_file(folder, (self->index << 24) + round));
		round++;
	}
	close(folder);
	rmdir(path);
}

const struct kind fs_churn = {
	.name = "fs-churn",
	.summary = "makes, writes, compares, renames and removes files (--folder)",
	.work = work,
};
