// SPDX-License-Identifier: GPL-2.0-only
/*
 * stress-ng: a modest mix of its stressors, next to workers that beat as in `idle`, so that gaps
 * are measured.
 *
 * At the end its own account is read: each stressor must have done something. The figures go to
 * standard error. Its ending unasked, or failing, is an error of worker 0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"

#define PATIENCE_MS	10000

static char folder[PATH_MAX - 64];
static char account[PATH_MAX];
static pid_t child;
static bool asked_to_end;
static bool never_ran;

static void be_stress_ng(void)
{
	int null = open("/dev/null", O_RDWR);

	/*
	 * A signal to our group must not reach its stressors behind its back: one of two that talk
	 * through a pipe would be gone before the other, which then counts as a failure.
	 */
	setpgid(0, 0);
	/* Standard output is for reports alone; what it says of failures goes to ours. */
	dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	signal(SIGINT, SIG_DFL);
	execlp("stress-ng", "stress-ng", "--quiet", "--metrics", "--yaml", account,
	       "--temp-path", folder, "--timeout", "0",
	       "--cpu", "1", "--pipe", "1", "--switch", "1",
	       "--mmap", "1", "--mmap-bytes", "8m", (char *)NULL);
	complain("cannot run stress-ng: %s", strerror(errno));
	_exit(127);
}

static bool prepare(void)
{
	snprintf(folder, sizeof(folder), "%s/lph-stress-XXXXXX", options.folder);
	if (!mkdtemp(folder)) {
		complain("cannot make %s: %s", folder, strerror(errno));
		return false;
	}
	snprintf(account, sizeof(account), "%s/account.yaml", folder);
	child = fork_child("lph-stress");
	if (!child)
		be_stress_ng();
	if (child < 0)
		complain("cannot fork: %s", strerror(errno));
	return child > 0;
}

static void count_error(void)
{
	if (worker_count)
		atomic_fetch_add(&workers[0].errors, 1);
}

static bool child_ended(pid_t pid, int status)
{
	if (pid != child)
		return false;
	child = 0;
	if (asked_to_end && WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) {
		never_ran = true;	/* it had not even got so far as to mind the signal */
		return true;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) || !asked_to_end) {
		complain("stress-ng ended with wait status %#x%s", (unsigned int)status,
			 asked_to_end ? "" : ", unasked");
		count_error();
	}
	return true;
}

static void wait_for_end(void)
{
	const uint64_t patience = now_ns() + PATIENCE_MS * 1000000ull;
	int status;

	asked_to_end = true;
	/* As Ctrl-C does it, once: stress-ng 0.15 crashes on a second one while it cleans up. */
	if (child)
		kill(child, SIGINT);
	while (child) {
		if (now_ns() > patience)
			kill(-child, SIGKILL);
		sleep_ms(20);
		if (waitpid(child, &status, WNOHANG) == child)
			child_ended(child, status);
	}
}

/* The account has, for each stressor, "stressor: NAME" and some lines later "bogo-ops: N". */
static unsigned int read_account(FILE *file)
{
	char line[256], name[64] = "?";
	unsigned long long operations;
	unsigned int active = 0;

	while (fgets(line, sizeof(line), file)) {
		sscanf(line, " - stressor: %63s", name);
		if (sscanf(line, " bogo-ops: %llu", &operations) != 1)
			continue;
		complain("stress-ng %s: %llu bogo operations", name, operations);
		if (operations)
			active++;
	}
	return active;
}

static void finish(void)
{
	FILE *file;

	wait_for_end();
	file = fopen(account, "re");
	if (!never_ran && (!file || !read_account(file))) {
		complain("stress-ng left no account of its work");
		count_error();
	}
	if (file)
		fclose(file);
	unlink(account);
	rmdir(folder);
}

const struct kind stress_ng = {
	.name = "stress-ng",
	.summary = "a mix of stress-ng's stressors (--folder)",
	.prepare = prepare,
	.work = beat_until_stopped,
	.child_ended = child_ended,
	.finish = finish,
};
