/*
 * Sets the clock of a new time namespace off by one second and as many nanoseconds as an unsigned
 * word holds, which as a signed one is -1. With a large negative number instead, the loop that
 * carries nanoseconds over into seconds would keep the kernel busy for minutes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static void set_offset(const char *offset)
{
	int fd = open("/proc/self/timens_offsets", O_WRONLY);

	if (fd < 0) {
		perror("timens_offsets");
		_exit(2);
	}
	if (write(fd, offset, strlen(offset)) < 0)
		printf("%s: %s\n", offset, strerror(errno));
	else
		printf("%s: accepted\n", offset);
	close(fd);
}

int main(void)
{
	if (unshare(CLONE_NEWTIME) < 0) {
		perror("unshare");
		return 2;
	}
	set_offset("monotonic 1 999999999");
	set_offset("monotonic 1 18446744073709551615");
	return 0;
}
