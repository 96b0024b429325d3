// SPDX-License-Identifier: GPL-2.0-only
/* Tells whether a user without privileges may read a file of a group that it is not in. */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void)
{
	gid_t others[] = { 7, 8 };
	int fd = open("/run/lph-group", O_CREAT | O_WRONLY, 0040);

	if (fd < 0 || fchown(fd, 0, 42) || fchmod(fd, 0040))
		return 1;
	if (setgroups(2, others) || setgid(1000) || setuid(1000))
		return 1;
	puts(open("/run/lph-group", O_RDONLY) < 0 ? "no member" : "member");
	return 0;
}
