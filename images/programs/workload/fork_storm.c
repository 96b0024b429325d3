// SPDX-License-Identifier: GPL-2.0-only
/*
 * fork-storm: children that are born, write to memory they share with their parent only until
 * then, and end with a status that must be theirs. One in sixteen executes a program first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"

#define EXEC_EACH	16

static volatile unsigned int private_word;

static void be_child(unsigned int round)
{
	char status[16];

	private_word = ~round;
	if (round % EXEC_EACH == 0) {
		/* The whole group may be told to stop; the status must be right even then. */
		signal(SIGTERM, SIG_IGN);
		snprintf(status, sizeof(status), "exit %u", round & 0x7f);
		execl("/bin/sh", "sh", "-c", status, (char *)NULL);
		_exit(127);	/* never a right one: multiples of 16 only are asked for */
	}
	_exit((int)(round & 0x7f));
}

static bool child_is_right(unsigned int round)
{
	int status;
	pid_t pid;

	private_word = round;
	pid = fork_child("lph-forked");
	if (!pid)
		be_child(round);
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == (int)(round & 0x7f) &&
	       private_word == round;
}

static void work(struct worker *self)
{
	unsigned int round = self->index;

	while (!stopping())
		done(self, child_is_right(round++));
}

const struct kind fork_storm = {
	.name = "fork-storm",
	.summary = "forks, executes and waits for children",
	.work = work,
};
