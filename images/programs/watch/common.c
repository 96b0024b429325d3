// SPDX-License-Identifier: GPL-2.0-only
/* What the uses of /lph/watch share: clocks, small files, JSON strings, task stats. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "watch.h"

long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void json_string(FILE *out, const char *text, size_t length)
{
	size_t i;

	fputc('"', out);
	for (i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

ssize_t read_file(const char *path, char *buffer, size_t size)
{
	size_t length = 0;
	ssize_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (length < size - 1) {
		got = read(fd, buffer + length, size - 1 - length);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	if (got < 0) {
		got = -errno;
		close(fd);
		return got;
	}
	close(fd);
	buffer[length] = '\0';
	return (ssize_t)length;
}

int write_file(const char *path, const char *text)
{
	size_t length = strlen(text);
	int error = 0;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, text, length) != (ssize_t)length)
		error = -errno;
	close(fd);
	return error;
}

int read_task_stat(const char *path, struct task_stat *stat)
{
	char text[1024];
	char *open_paren, *close_paren, *rest;
	size_t length;
	int field;
	ssize_t got = read_file(path, text, sizeof(text));

	if (got < 0)
		return (int)got;
	/* The name may itself hold parentheses and spaces: it ends at the last one. */
	open_paren = strchr(text, '(');
	close_paren = strrchr(text, ')');
	if (!open_paren || !close_paren || close_paren[1] != ' ')
		return -EINVAL;
	length = (size_t)(close_paren - open_paren - 1);
	if (length >= sizeof(stat->comm))
		length = sizeof(stat->comm) - 1;
	memcpy(stat->comm, open_paren + 1, length);
	stat->comm[length] = '\0';
	stat->state = close_paren[2];
	stat->flags = 0;
	stat->start_ticks = 0;
	rest = close_paren + 2;
	for (field = 3; rest; field++) {
		if (field == 9)
			stat->flags = (unsigned int)strtoul(rest, NULL, 10);
		if (field == 22) {
			stat->start_ticks = strtoull(rest, NULL, 10);
			break;
		}
		rest = strchr(rest, ' ');
		if (rest)
			rest++;
	}
	return 0;
}
