// SPDX-License-Identifier: GPL-2.0-only
/*
 * suite: tests that a script knows, one after another, over and over, next to workers that beat as
 * in `idle`, so that gaps are measured.
 *
 *   SCRIPT list       names the tests, a line each
 *   SCRIPT run TEST   runs one; exit status 0 if it passes
 *   SCRIPT end        puts back what they changed, also when one was stopped half way
 *
 * Each is run once before the work begins. One that fails then is left out: whatever is wrong with
 * it was wrong before. From then on a failure is an error of worker 0, and standard error names it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"

#define MOST_TESTS	32
#define LONGEST_NAME	128

struct account {
	_Atomic uint64_t runs;
	_Atomic uint64_t failures;
};

static char tests[MOST_TESTS][LONGEST_NAME];
static unsigned int test_count;
static struct account *account;
static uint64_t told;		/* failures that worker 0 has been charged with */
static pid_t child;

/* Run the script and return its wait status; its words go to standard error. */
static int call(const char *verb, const char *name)
{
	pid_t pid = fork();
	sigset_t none;
	int status = -1;
	int null;

	if (!pid) {
		sigemptyset(&none);	/* a shell that cannot hear SIGCHLD waits for ever */
		sigprocmask(SIG_SETMASK, &none, NULL);
		null = open("/dev/null", O_RDWR);
		dup2(null, STDIN_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execl(options.file, options.file, verb, name, (char *)NULL);
		complain("cannot run %s: %s", options.file, strerror(errno));
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static bool read_list(void)
{
	char command[512], line[LONGEST_NAME];
	FILE *list;

	snprintf(command, sizeof(command), "exec '%s' list", options.file);
	list = popen(command, "re");
	if (!list) {
		complain("cannot run %s: %s", options.file, strerror(errno));
		return false;
	}
	while (test_count < MOST_TESTS && fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		if (!line[0])
			continue;
		if (!call("run", line))
			memcpy(tests[test_count++], line, sizeof(line));
		else
			complain("%s fails before anything is changed: left out", line);
	}
	pclose(list);
	return true;
}

static void run_over_and_over(void)
{
	unsigned int at;

	setpgid(0, 0);	/* so that it can be ended with all that it has started */
	for (at = 0;; at = (at + 1) % test_count) {
		int status = call("run", tests[at]);

		atomic_fetch_add(&account->runs, 1);
		if (!status)
			continue;
		complain("%s fails, and passed before: wait status %#x", tests[at],
			 (unsigned int)status);
		atomic_fetch_add(&account->failures, 1);
	}
}

static bool prepare(void)
{
	if (!options.file) {
		complain("suite needs --file");
		return false;
	}
	account = mmap(NULL, sizeof(*account), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (account == MAP_FAILED || !read_list())
		return false;
	if (!test_count) {
		complain("no test passes here");
		return false;
	}
	child = fork_child("lph-suite");
	if (!child)
		run_over_and_over();
	if (child < 0)
		complain("cannot fork: %s", strerror(errno));
	return child > 0;
}

static void charge(void)
{
	uint64_t failures = atomic_load(&account->failures);

	if (worker_count && failures > told)
		atomic_fetch_add(&workers[0].errors, failures - told);
	told = failures;
}

static bool child_ended(pid_t pid, int status)
{
	if (pid != child)
		return false;
	child = 0;
	complain("the suite ended with wait status %#x, unasked", (unsigned int)status);
	atomic_fetch_add(&account->failures, 1);
	return true;
}

static void finish(void)
{
	charge();
	if (child) {
		kill(-child, SIGKILL);
		kill(child, SIGKILL);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	call("end", NULL);
	complain("%u tests, %llu runs, %llu failures", test_count,
		 (unsigned long long)atomic_load(&account->runs),
		 (unsigned long long)atomic_load(&account->failures));
}

const struct kind suite = {
	.name = "suite",
	.summary = "tests that a script knows, over and over (--file)",
	.prepare = prepare,
	.work = beat_until_stopped,
	.tick = charge,
	.child_ended = child_ended,
	.finish = finish,
};
