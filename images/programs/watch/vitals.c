// SPDX-License-Identifier: GPL-2.0-only
/* Signs of one unbroken life: the kernel's, and a witness process's. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "watch.h"

static void print_modules(void)
{
	static char text[65536];
	char *line, *next;
	const char *comma = "";

	printf(",\"modules\":[");
	if (read_file("/proc/modules", text, sizeof(text)) > 0)
		for (line = text; *line; line = next) {
			next = strchr(line, '\n');
			next = next ? next + 1 : line + strlen(line);
			printf("%s", comma);
			json_string(stdout, line, strcspn(line, " \n"));
			comma = ",";
		}
	printf("]");
}

/* Open files, tasks, and slabs that nobody can ask back, as the kernel counts them. */
static void print_counts(void)
{
	unsigned long files = 0, tasks = 0, slab_kb = 0;
	char text[4096], *line;

	if (read_file("/proc/sys/fs/file-nr", text, sizeof(text)) > 0)
		files = strtoul(text, NULL, 10);
	if (read_file("/proc/loadavg", text, sizeof(text)) > 0 && strchr(text, '/'))
		tasks = strtoul(strchr(text, '/') + 1, NULL, 10);
	/* kmemleak keeps a record in slabs of all that is allocated; but then it is asked itself. */
	if (access("/sys/kernel/debug/kmemleak", F_OK) && read_file("/proc/meminfo", text, sizeof(text)) > 0 &&
	    (line = strstr(text, "SUnreclaim:")))
		slab_kb = strtoul(line + strlen("SUnreclaim:"), NULL, 10);
	printf(",\"files\":%lu,\"tasks\":%lu", files, tasks);
	if (slab_kb)
		printf(",\"slab_kb\":%lu", slab_kb);
}

int command_vitals(int argc, char **argv)
{
	char boot_id[64], taint[32], path[64];
	struct task_stat stat;

	if (read_file("/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id)) < 0 ||
	    read_file("/proc/sys/kernel/tainted", taint, sizeof(taint)) < 0) {
		fprintf(stderr, "no /proc\n");
		return 1;
	}
	printf("{\"t\":%lld,\"boot_id\":", now_ns());
	json_string(stdout, boot_id, strcspn(boot_id, "\n"));
	printf(",\"taint\":%lu", strtoul(taint, NULL, 10));
	if (argc > 0) {
		snprintf(path, sizeof(path), "/proc/%ld/stat", strtol(argv[0], NULL, 10));
		if (!read_task_stat(path, &stat) && stat.state != 'Z')
			printf(",\"witness\":%llu", stat.start_ticks);
	}
	print_counts();
	print_modules();
	printf("}\n");
	return 0;
}

/* The far end of the witness's connection: what comes goes back. */
static void echo_for_ever(int listener)
{
	char buffer[256];
	ssize_t got;
	int peer = accept(listener, NULL, NULL);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (peer >= 0 && (got = read(peer, buffer, sizeof(buffer))) > 0)
		if (write(peer, buffer, (size_t)got) != got)
			break;
	_exit(0);
}

static int open_connection(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0 || client < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &length))
		return -errno;
	switch (fork()) {
	case -1:
		return -errno;
	case 0:
		close(client);
		echo_for_ever(listener);
	}
	close(listener);
	if (connect(client, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return client;
}

static int round_trip(int client, const char *line, size_t length)
{
	struct pollfd readable = { .fd = client, .events = POLLIN };
	char back[256];
	size_t have = 0;

	if (write(client, line, length) != (ssize_t)length)
		return errno;
	while (have < length) {
		ssize_t got;

		if (poll(&readable, 1, 5000) != 1)
			return ETIMEDOUT;
		got = read(client, back + have, sizeof(back) - have);
		if (got <= 0)
			return got ? errno : ECONNRESET;
		have += (size_t)got;
	}
	return memcmp(line, back, length) ? EBADMSG : 0;
}

int command_witness(int argc, char **argv)
{
	char line[256], path[64];
	struct task_stat stat = { .start_ticks = 0 };
	int client;

	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	client = open_connection();
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)getpid());
	if (read_task_stat(path, &stat))
		return 1;
	printf("{\"pid\":%d,\"ticks\":%llu,\"errno\":%d}\n", (int)getpid(), stat.start_ticks,
	       client < 0 ? -client : 0);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		int error = client < 0 ? -client : round_trip(client, line, strlen(line));

		printf("{\"t\":%lld,\"errno\":%d,\"line\":", now_ns(), error);
		json_string(stdout, line, strcspn(line, "\n"));
		printf("}\n");
		fflush(stdout);
	}
	return 0;
}
