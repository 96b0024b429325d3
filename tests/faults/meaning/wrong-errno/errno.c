// SPDX-License-Identifier: GPL-2.0-only
/* Tells what ioprio_get(2) says to a question that does not exist. */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	if (syscall(SYS_ioprio_get, 77, 0) >= 0)
		puts("no error");
	else
		puts(errno == EINVAL ? "EINVAL" : errno == EPERM ? "EPERM" : "another error");
	return 0;
}
