// SPDX-License-Identifier: GPL-2.0-only
/* What every kind of work needs. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "workload.h"

static volatile sig_atomic_t told_to_stop;

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void complain(const char *format, ...)
{
	va_list arguments;

	fputs("workload: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

void sleep_ms(unsigned int ms)
{
	struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&time, NULL);
}

bool stopping(void)
{
	return told_to_stop;
}

static void on_signal(int signal)
{
	if (signal == SIGTERM)
		told_to_stop = 1;
}

/*
 * A worker's way with signals: SIGTERM interrupts what it is in and lets it finish; SIGUSR1 only
 * interrupts; SIGINT, which a terminal sends to all, is the parent's affair.
 */
void listen_to_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};	/* without SA_RESTART */
	sigset_t none;

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void die_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)	/* it was gone before we asked */
		_exit(1);
}

/* Only the worker itself makes its gap longer; only the reporter sets it back to 0. */
static void note_gap(struct worker *self, uint64_t gap)
{
	uint64_t longest = atomic_load_explicit(&self->longest_gap, memory_order_relaxed);

	while (gap > longest &&
	       !atomic_compare_exchange_weak_explicit(&self->longest_gap, &longest, gap,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

/*
 * A hint that costs a real CPU some dozens of cycles. An emulator that runs all CPUs in one thread
 * takes it to let another CPU run, which would otherwise wait for a tick: the kernel waits for
 * every CPU each time it rewrites code, and 6.12 rewrites thousands of places in a transition.
 */
static void give_way(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__powerpc64__)
	__asm__ volatile("or 1,1,1; or 2,2,2"); /* HMT_low(), HMT_medium() */
#endif
}

void done(struct worker *self, bool well)
{
	uint64_t now = now_ns();
	uint64_t last = atomic_load_explicit(&self->last, memory_order_relaxed);

	note_gap(self, now - last);
	atomic_store_explicit(&self->last, now, memory_order_relaxed);
	atomic_fetch_add_explicit(&self->operations, 1, memory_order_relaxed);
	if (!well)
		went_wrong(self);
	give_way();
}

void went_wrong(struct worker *self)
{
	if (!stopping())
		atomic_fetch_add_explicit(&self->errors, 1, memory_order_relaxed);
}
