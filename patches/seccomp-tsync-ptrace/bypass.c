/*
 * A thread is stopped by its tracer on its way into getppid(). Meanwhile another thread puts a
 * filter on all of the process that refuses getppid(). Does the first one's call get past it?
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int go[2], done[2]; /* pipes: the tracer's word to install the filter, and the answer */

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void *install_filter(void *unused)
{
	struct sock_filter refuse_getppid[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {
		.len = sizeof(refuse_getppid) / sizeof(*refuse_getppid),
		.filter = refuse_getppid,
	};
	char word = 'd';

	if (read(go[0], &word, 1) != 1)
		die("read");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die("no_new_privs");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter))
		die("seccomp");
	if (write(done[1], &word, 1) != 1)
		die("write");
	return unused;
}

static void traced(void)
{
	pthread_t other;
	long parent;

	if (pthread_create(&other, NULL, install_filter, NULL))
		die("pthread_create");
	if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
		die("traceme");
	/*
	 * Not raise(): a C library's makes other calls after the stop. Not kill(): the other thread
	 * may take the signal, and then both stop, of which the tracer wakes one alone.
	 */
	syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), SIGSTOP);
	parent = syscall(SYS_getppid);
	if (parent < 0)
		printf("getppid: %s\n", strerror(errno));
	else
		printf("getppid: got past the filter\n");
	fflush(stdout);
	_exit(0);
}

int main(void)
{
	char word = 'g';
	int status;
	pid_t child;

	if (pipe(go) < 0 || pipe(done) < 0)
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		traced();
	if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
		die("wait for the stop");
	/* The next stop is on the way into getppid(). */
	if (ptrace(PTRACE_SYSCALL, child, 0, 0) < 0 || waitpid(child, &status, 0) < 0)
		die("wait for the call");
	if (!WIFSTOPPED(status))
		die("not stopped");
	if (write(go[1], &word, 1) != 1 || read(done[0], &word, 1) != 1)
		die("install");
	if (ptrace(PTRACE_CONT, child, 0, 0) < 0 || waitpid(child, &status, 0) < 0)
		die("wait for the end");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}
