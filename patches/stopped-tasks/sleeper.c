// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleeps in pause(2): for ever, having left its number in /run/sleeper-HOW; "traced" is stopped by
 * its parent's ptrace(2). "briefly" is woken by an alarm and tells what pause(2) said.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_alarm(int number)
{
	(void)number;
}

static int briefly(void)
{
	const struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	ualarm(20000, 20000);
	pause();
	puts(errno == EINTR ? "EINTR" : errno == ECANCELED ? "ECANCELED" : strerror(errno));
	return 0;
}

static int leave_number(const char *how, int number)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/run/sleeper-%s", how);
	file = fopen(path, "w");
	if (!file || fprintf(file, "%d\n", number) < 0 || fclose(file))
		return 1;
	for (;;) {
		if (strcmp(how, "traced"))
			pause();
		else
			sleep(1000);
	}
}

static int traced(void)
{
	int status, child = fork();

	if (!child) {
		for (;;)
			pause();
	}
	if (child < 0 || ptrace(PTRACE_ATTACH, child, NULL, NULL) ||
	    waitpid(child, &status, 0) != child)
		return 1;
	return leave_number("traced", child);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	if (!strcmp(argv[1], "briefly"))
		return briefly();
	return strcmp(argv[1], "traced") ? leave_number(argv[1], getpid()) : traced();
}
