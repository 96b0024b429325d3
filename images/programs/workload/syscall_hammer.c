// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscall-hammer: one system call with fixed arguments, as fast as it goes.
 *
 * A patch may change what it answers, so another answer is no error. These failures are, since no
 * sane patch brings them about: ENOSYS, EFAULT, EIO and ENOMEM; unless the very first call, before
 * any patch, failed in the same way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "workload.h"

static int first_errno;

static int call(void)
{
	const long *a = options.arguments;

	errno = 0;
	return syscall(options.syscall, a[0], a[1], a[2], a[3], a[4], a[5]) == -1 ? errno : 0;
}

static bool is_wrong(int error)
{
	switch (error) {
	case ENOSYS:
	case EFAULT:
	case EIO:
	case ENOMEM:
		return error != first_errno;
	default:
		return false;
	}
}

static bool prepare(void)
{
	if (options.syscall < 0) {
		complain("syscall-hammer needs --syscall NUMBER");
		return false;
	}
	first_errno = call();
	if (first_errno == ENOSYS) {
		complain("this kernel has no system call %ld", options.syscall);
		return false;
	}
	return true;
}

static void work(struct worker *self)
{
	while (!stopping())
		done(self, !is_wrong(call()));
}

const struct kind syscall_hammer = {
	.name = "syscall-hammer",
	.summary = "one system call over and over (--syscall NUMBER -- ARGUMENT...)",
	.prepare = prepare,
	.work = work,
};
