// SPDX-License-Identifier: GPL-2.0-only
/*
 * net-loopback: TCP over 127.0.0.1. Each worker sends blocks to an echo process of its own and
 * compares what comes back; a new connection each 64 blocks, after a short pause.
 *
 * The pause, since two tasks on one CPU that do nothing but wake each other were seen to keep
 * everything else from it for a minute (6.18, PREEMPT(none)): "rcu_preempt kthread starved". For
 * the same reason the echo process may run on any CPU, which also sends traffic across CPUs.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"

#define BLOCK		4096
#define BLOCKS_EACH	64
#define PAUSE_MS	1

/* Any CPU will do, within what our cpuset allows. */
static void unpin(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
}

static void echo(int listener)
{
	static char block[BLOCK];

	/* The whole group may be told to stop; the worker decides when that is. */
	signal(SIGTERM, SIG_IGN);
	unpin();
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		ssize_t got;

		while ((got = read(fd, block, sizeof(block))) > 0)
			if (send(fd, block, (size_t)got, MSG_NOSIGNAL) != got)
				break;
		close(fd);
	}
}

/* Start the echo process and tell where it listens. */
static pid_t start_echo(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid = -1;

	*address = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	if (listener < 0)
		return -1;
	if (!bind(listener, (struct sockaddr *)address, sizeof(*address)) &&
	    !listen(listener, 4) &&
	    !getsockname(listener, (struct sockaddr *)address, &length)) {
		pid = fork_child("lph-echo");
		if (!pid)
			echo(listener);
	}
	close(listener);
	return pid;
}

static int connect_to(const struct sockaddr_in *address)
{
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool one_block(int fd, uint32_t seed)
{
	static uint32_t out[BLOCK / 4], in[BLOCK / 4];
	size_t i;

	for (i = 0; i < BLOCK / 4; i++)
		out[i] = seed + (uint32_t)i;
	return send(fd, out, BLOCK, MSG_NOSIGNAL) == BLOCK &&
	       recv(fd, in, BLOCK, MSG_WAITALL) == BLOCK && !memcmp(in, out, BLOCK);
}

static void work(struct worker *self)
{
	struct sockaddr_in address;
	pid_t server = start_echo(&address);
	uint32_t round = 0;
	int fd = -1;

	if (server < 0) {
		complain("cannot listen on 127.0.0.1: %s", strerror(errno));
		_exit(1);
	}
	while (!stopping()) {
		bool well;

		if (fd < 0)
			fd = connect_to(&address);
		well = fd >= 0 && one_block(fd, (self->index << 24) + round);
		done(self, well);
		if (fd >= 0 && (!well || ++round % BLOCKS_EACH == 0)) {
			close(fd);
			fd = -1;
			sleep_ms(PAUSE_MS);
		}
	}
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

const struct kind net_loopback = {
	.name = "net-loopback",
	.summary = "TCP over 127.0.0.1, compared",
	.work = work,
};
