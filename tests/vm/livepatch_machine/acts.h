/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be done: each act returns 0 or the kernel's errno. */
#ifndef ACTS_H
#define ACTS_H

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "scene.h"

static pid_t sleepers[SLEEPERS];

static void on_signal(int number)
{
	(void)number;
}

static void catch_signal(int number)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(number, &action, NULL);
}

static int act_load(const char *name, const char *parameters)
{
	char path[128];
	int error = 0;
	int fd;

	snprintf(path, sizeof(path), "/tmp/%s.ko", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, parameters, 0))
		error = errno;
	if (fd >= 0)
		close(fd);
	return error;
}

static int act_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
}

static int act_enabled(const char *name, const char *value)
{
	char path[256];

	snprintf(path, sizeof(path), LIVEPATCH "/%s/enabled", name);
	return write_text(path, value);
}

static int act_fail(const char *name, const char *number)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/fail_target", name);
	return write_text(path, number);
}

static int act_cpu(const char *value)
{
	return write_text("/sys/devices/system/cpu/cpu1/online", value);
}

/* Name the function to the tracer, once: the search for it takes longer than anything else here. */
static int prepare_trace(void)
{
	char line[64];
	int error = 0;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(line, sizeof(line), "%s\n", names[i]);
		error = write_text(TRACING "/set_ftrace_filter", line);
		if (!error)
			break;
	}
	return error;
}

static int act_trace(int on)
{
	return write_text(TRACING "/current_tracer", on ? "function" : "nop");
}

/* The system call that a task sleeps in, from the kernel's own view of it; -1 when it runs. */
static long syscall_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	return read_number(path, -1);
}

/* Call pause(2) until a signal comes. */
static void sleep_in_it(void)
{
	catch_signal(SIGUSR1);
	syscall(SYS_pause, 0L);
	_exit(0);
}

static int act_enter(int which)
{
	const struct timespec moment = { .tv_nsec = 200000 };
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sleep_in_it();
	}
	if (pid < 0)
		return errno;
	sleepers[which] = pid;
	while (syscall_of(pid) != SYS_pause)
		nanosleep(&moment, NULL);
	return 0;
}

static int act_leave(int which)
{
	if (!sleepers[which])
		return ESRCH;
	kill(sleepers[which], SIGUSR1);
	waitpid(sleepers[which], NULL, 0);
	sleepers[which] = 0;
	return 0;
}

/*
 * The version that a fresh call reaches: its number, or 0 for the original, which sleeps until the
 * timer's signal. The timer repeats, as its first signal may come before the call.
 */
static long call_function(void)
{
	const struct itimerval soon = { { 0, 2000 }, { 0, 2000 } }, off = { { 0, 0 }, { 0, 0 } };
	long answer;

	catch_signal(SIGALRM);
	setitimer(ITIMER_REAL, &soon, NULL);
	answer = syscall(SYS_pause, MAGIC);
	setitimer(ITIMER_REAL, &off, NULL);
	return answer < 0 ? 0 : answer;
}

/*
 * A program on CPU 1 that goes to user mode all the time. Without it the idle task runs there when
 * a transition begins; that has not switched when the kernel asks, and the kernel asks again only a
 * second later (transition.c klp_try_complete_transition). What comes out is the same.
 *
 * Not since 6.4: there each transition rewrites all calls of cond_resched(), some ten thousand
 * interrupts of the other CPUs (klp_cond_resched_enable). The idle task has switched meanwhile, and a
 * CPU that is kept busy takes each of them only at its next tick when it is emulated: minutes.
 */
static int spinning_helps(void)
{
	struct utsname kernel;
	int major = 0, minor = 0;

	uname(&kernel);
	sscanf(kernel.release, "%d.%d", &major, &minor);
	return major < 6 || (major == 6 && minor < 4);
}

static volatile long *rounds;
static pid_t spinner;

static void begin_spinning(void)
{
	cpu_set_t cpus;
	long seen;

	if (!rounds) {
		rounds = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (rounds == MAP_FAILED)
			exit(1);
	}
	if (!spinning_helps() || read_number("/sys/devices/system/cpu/cpu1/online", 0) != 1)
		return;
	seen = *rounds;
	spinner = fork();
	if (spinner == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CPU_ZERO(&cpus);
		CPU_SET(1, &cpus);
		sched_setaffinity(0, sizeof(cpus), &cpus);
		for (;;) {
			syscall(SYS_getppid);
			++*rounds;
		}
	}
	while (*rounds == seen)
		sched_yield();
}

static void end_spinning(void)
{
	if (spinner <= 0)
		return;
	kill(spinner, SIGKILL);
	waitpid(spinner, NULL, 0);
	spinner = 0;
}

#endif
