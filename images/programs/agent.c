// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent - does in a guest what the host asks over one byte stream
 *
 * Usage: agent            find the virtio-serial port and serve it
 *        agent --fd N     serve an open descriptor (tests, on any Linux)
 *
 * The protocol, little-endian, is described in docs/agent.md; the host's side is
 * lpharness/guests/agent/. In short: frames in both directions, each belonging to a
 * session that the host opens with HELLO. A job is a child process with three pipes,
 * in a process group of its own. Nothing here waits for a job, and no job's stream
 * can hold up another's: both directions are limited by credit, per job.
 *
 * Rules that the rest depends on:
 *  - single thread, no blocking call except poll(); what might block (opening a file,
 *    exec) happens in a child
 *  - a job's EXIT frame follows all of its output
 *  - a new HELLO ends everything the old session had running
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <dirent.h>

#define PORT_NAME	"org.lpharness.agent"
#define VERSION		1
#define MAGIC		0x4148504cu	/* "LPHA" */
#define TRAILER		0x21444e45u	/* xor'ed with the session; see take_frames() */
#define MAX_PAYLOAD	32768u
#define MAX_JOBS	64
#define MAX_ARGS	1024
#define OUTPUT_WINDOW	262144u		/* output a job may send ahead of the host's credit */
#define INPUT_WINDOW	65536u		/* input the host may send ahead of ours */
#define OUT_SIZE	(4 * MAX_PAYLOAD)
#define CONTROL_ROOM	8192u		/* kept free of output for EXIT, PONG, CREDIT, ... */
#define WRITE_CHUNK	16384u		/* virtio_console kmallocs what it is given */

enum frame_type {
	/* host to guest */
	HELLO = 1,		/* u64 nonce */
	EXEC,			/* argv, NUL-terminated strings */
	PUT,			/* u64 size, u32 mode, path; the content follows as INPUT */
	GET,			/* path; the content comes as OUT */
	INPUT,			/* bytes; none: end of input */
	SIGNAL,			/* u32 signal, to the job's process group */
	CREDIT,			/* u32 bytes; both directions */
	PING,
	RENEW,			/* u64 CLOCK_REALTIME in ns, then entropy */
	/* guest to host */
	READY = 64,		/* the agent has begun; no session yet */
	WELCOME,		/* u64 nonce, u32 version, u32 pid */
	STARTED,		/* u64 CLOCK_BOOTTIME in ns, u32 pid */
	OUT,			/* bytes of standard output */
	ERR,			/* bytes of standard error */
	EXIT,			/* u64 began, u64 ended (CLOCK_BOOTTIME), u32 wait status */
	PONG,			/* u64 CLOCK_BOOTTIME in ns */
	DONE,			/* u32 errno, 0 when done: of RENEW, or a job refused */
};

struct header {
	uint32_t magic;
	uint32_t session;
	uint32_t id;
	uint16_t type;
	uint16_t reserved;
	uint32_t length;
};

#define OVERHEAD	(sizeof(struct header) + sizeof(uint32_t))

struct job {
	bool used;
	bool exited;
	uint32_t id;
	pid_t pid;
	int in, out, err;	/* our ends; -1 when closed */
	bool input_ended;
	char *input;		/* INPUT_WINDOW bytes: received, not yet written */
	size_t input_from, input_to;
	uint32_t credit;
	size_t out_left, err_left;	/* once exited: what was in the pipes then */
	int status;
	uint64_t began, ended;
};

static struct job jobs[MAX_JOBS];
static int port = -1;
static int signals = -1;
static uint64_t nonce;
static uint32_t session;
static bool adjusted_oom;

static char in[2 * (MAX_PAYLOAD + OVERHEAD)];
static size_t in_length;
static char out[OUT_SIZE];
static size_t out_from, out_to;

static uint64_t boottime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void put32(char *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static void put64(char *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static uint64_t get64(const char *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static ssize_t write_all(int fd, const char *data, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = write(fd, data + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

/* ---- frames out ------------------------------------------------------------------ */

static size_t out_room(void)
{
	if (out_from == out_to)
		out_from = out_to = 0;
	if (out_from > OUT_SIZE / 2) {
		memmove(out, out + out_from, out_to - out_from);
		out_to -= out_from;
		out_from = 0;
	}
	return OUT_SIZE - out_to;
}

/* Whether another control frame may be queued; while not, no request is taken. */
static bool room_for_control(void)
{
	return out_room() >= CONTROL_ROOM / 2;
}

/* Completes a frame whose payload already lies behind the place of its header. */
static void seal(enum frame_type type, uint32_t id, uint32_t length)
{
	struct header header = {
		.magic = htole32(MAGIC),
		.session = htole32(session),
		.id = htole32(id),
		.type = htole16((uint16_t)type),
		.length = htole32(length),
	};

	memcpy(out + out_to, &header, sizeof(header));
	put32(out + out_to + sizeof(header) + length, TRAILER ^ session);
	out_to += length + OVERHEAD;
}

static void send_frame(enum frame_type type, uint32_t id, const char *payload, uint32_t length)
{
	if (out_room() < length + OVERHEAD)
		return;		/* cannot be: callers look at room_for_control() first */
	if (length)
		memcpy(out + out_to + sizeof(struct header), payload, length);
	seal(type, id, length);
}

static void send_u32(enum frame_type type, uint32_t id, uint32_t value)
{
	char payload[4];

	put32(payload, value);
	send_frame(type, id, payload, sizeof(payload));
}

/* Returns false when the other end is gone. */
static bool flush_out(void)
{
	while (out_from < out_to) {
		size_t length = out_to - out_from;
		ssize_t n = write(port, out + out_from, length < WRITE_CHUNK ? length : WRITE_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == ENOMEM;
		out_from += (size_t)n;
	}
	return true;
}

/* ---- jobs ------------------------------------------------------------------------ */

static struct job *find_job(uint32_t id)
{
	for (size_t i = 0; i < MAX_JOBS; i++)
		if (jobs[i].used && jobs[i].id == id)
			return &jobs[i];
	return NULL;
}

static void forget_job(struct job *job)
{
	close_fd(&job->in);
	close_fd(&job->out);
	close_fd(&job->err);
	free(job->input);
	memset(job, 0, sizeof(*job));
	job->in = job->out = job->err = -1;
}

/* The child must not inherit what protects the agent from a guest in trouble. */
static void be_ordinary(void)
{
	sigset_t none;

	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (adjusted_oom) {
		int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

		if (fd >= 0) {
			write_all(fd, "0", 1);
			close(fd);
		}
	}
}

static void complain(const char *what, int error)
{
	dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(error));
}

static int run_exec(char *payload, uint32_t length)
{
	char *argv[MAX_ARGS + 1];
	size_t count = 0;
	int error;

	for (uint32_t at = 0; at < length && count < MAX_ARGS; at += strlen(payload + at) + 1)
		argv[count++] = payload + at;
	argv[count] = NULL;
	if (!count)
		return 127;
	execvp(argv[0], argv);
	error = errno;
	complain(argv[0], error);
	return error == ENOENT ? 127 : 126;
}

/* Writes a file aside and renames it, so that it is there whole or not at all. */
static int run_put(const char *payload)
{
	static char aside[MAX_PAYLOAD + 16], buffer[65536];
	uint64_t size = get64(payload), done = 0;
	mode_t mode = get32(payload + 8);
	const char *path = payload + 12;
	int fd;

	snprintf(aside, sizeof(aside), "%s.XXXXXX", path);
	fd = mkstemp(aside);
	if (fd < 0)
		return complain(path, errno), 1;
	while (done < size) {
		ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EPIPE;	/* the host went away in the middle */
		if (n <= 0 || write_all(fd, buffer, (size_t)n) < 0)
			goto fail;
		done += (uint64_t)n;
	}
	if (fchmod(fd, mode) < 0 || close(fd) < 0 || rename(aside, path) < 0)
		goto fail;
	return 0;
fail:
	complain(path, errno);
	unlink(aside);
	return 1;
}

static int run_get(const char *path)
{
	static char buffer[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return complain(path, errno), 1;
	while ((n = read(fd, buffer, sizeof(buffer))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || write_all(STDOUT_FILENO, buffer, (size_t)n) < 0)
			return complain(path, errno), 1;
	}
	return 0;
}

static void run_child(const struct header *header, char *payload, const int pipes[6])
{
	be_ordinary();
	if (dup2(pipes[0], 0) < 0 || dup2(pipes[3], 1) < 0 || dup2(pipes[5], 2) < 0)
		_exit(126);
	if (header->type == EXEC)
		_exit(run_exec(payload, header->length));
	if (header->type == PUT)
		_exit(run_put(payload));
	_exit(run_get(payload));
}

static bool open_pipes(int pipes[6])
{
	for (int i = 0; i < 6; i += 2)
		if (pipe2(pipes + i, O_CLOEXEC) < 0) {
			while (i--)
				close(pipes[i]);
			return false;
		}
	return true;
}

static void start_job(const struct header *header, char *payload)
{
	struct job *job = NULL;
	int pipes[6];
	char started[12];

	for (size_t i = 0; i < MAX_JOBS && !job; i++)
		if (!jobs[i].used)
			job = &jobs[i];
	if (!job || find_job(header->id)) {
		send_u32(DONE, header->id, job ? EEXIST : EBUSY);
		return;
	}
	job->input = malloc(INPUT_WINDOW);
	if (!job->input || !open_pipes(pipes)) {
		send_u32(DONE, header->id, (uint32_t)errno);
		forget_job(job);
		return;
	}
	job->began = boottime();
	job->pid = fork();
	if (job->pid == 0)
		run_child(header, payload, pipes);
	close(pipes[0]);
	close(pipes[3]);
	close(pipes[5]);
	if (job->pid > 0)
		setpgid(job->pid, job->pid);	/* a SIGNAL may come before the child runs */
	job->in = pipes[1];
	job->out = pipes[2];
	job->err = pipes[4];
	if (job->pid < 0) {
		send_u32(DONE, header->id, (uint32_t)errno);
		forget_job(job);
		return;
	}
	fcntl(job->in, F_SETFL, O_NONBLOCK);
	fcntl(job->out, F_SETFL, O_NONBLOCK);
	fcntl(job->err, F_SETFL, O_NONBLOCK);
	job->used = true;
	job->id = header->id;
	job->credit = OUTPUT_WINDOW;
	put64(started, job->began);
	put32(started + 8, (uint32_t)job->pid);
	send_frame(STARTED, job->id, started, sizeof(started));
}

static void take_input(struct job *job, const char *data, uint32_t length)
{
	if (!length) {
		job->input_ended = true;
		return;
	}
	if (job->in < 0) {	/* nobody reads it: swallow, as credit is still owed */
		send_u32(CREDIT, job->id, length);
		return;
	}
	if (job->input_from) {
		memmove(job->input, job->input + job->input_from,
			job->input_to - job->input_from);
		job->input_to -= job->input_from;
		job->input_from = 0;
	}
	if (length > INPUT_WINDOW - job->input_to)
		length = (uint32_t)(INPUT_WINDOW - job->input_to);	/* the host broke the rule */
	memcpy(job->input + job->input_to, data, length);
	job->input_to += length;
}

/* Hands what the host sent to the child, as far as the pipe takes it. */
static void pump_input(struct job *job)
{
	while (job->in >= 0 && job->input_from < job->input_to && room_for_control()) {
		size_t length = job->input_to - job->input_from;
		ssize_t n = write(job->in, job->input + job->input_from, length);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {		/* EPIPE: the child closed its input */
			close_fd(&job->in);
			n = (ssize_t)length;
		}
		job->input_from += (size_t)n;
		send_u32(CREDIT, job->id, (uint32_t)n);
	}
	if (job->input_ended && job->input_from == job->input_to)
		close_fd(&job->in);
}

/*
 * Reads a pipe straight into a frame. Returns whether nothing more is to be had now, or, of a
 * job that exited, nothing more of its own.
 */
static bool pump_output(struct job *job, int *fd, size_t *left, enum frame_type type)
{
	while (*fd >= 0) {
		size_t room = out_room();
		size_t most = MAX_PAYLOAD;
		ssize_t n;

		if (job->exited && !*left)
			return true;
		if (room < CONTROL_ROOM + OVERHEAD + 4096 || !job->credit)
			return false;
		if (most > room - CONTROL_ROOM - OVERHEAD)
			most = room - CONTROL_ROOM - OVERHEAD;
		if (most > job->credit)
			most = job->credit;
		if (job->exited && most > *left)
			most = *left;
		n = read(*fd, out + out_to + sizeof(struct header), most);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			close_fd(fd);
			break;
		}
		job->credit -= (uint32_t)n;
		if (job->exited)
			*left -= (size_t)n;
		seal(type, job->id, (uint32_t)n);
	}
	return true;
}

static void pump_job(struct job *job)
{
	bool drained;

	pump_input(job);
	drained = pump_output(job, &job->out, &job->out_left, OUT);
	drained = pump_output(job, &job->err, &job->err_left, ERR) && drained;
	/*
	 * A grandchild may hold the pipes open for ever, and write to them for ever, so an
	 * exited job ends when what was in its pipes at its exit is read.
	 */
	if (job->exited && drained && room_for_control()) {
		char payload[20];

		put64(payload, job->began);
		put64(payload + 8, job->ended);
		put32(payload + 16, (uint32_t)job->status);
		send_frame(EXIT, job->id, payload, sizeof(payload));
		forget_job(job);
	}
}

static size_t available(int fd)
{
	int bytes;

	return fd >= 0 && ioctl(fd, FIONREAD, &bytes) == 0 ? (size_t)bytes : 0;
}

static void reap(void)
{
	struct signalfd_siginfo info[16];
	int status;
	pid_t pid;

	while (read(signals, info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < MAX_JOBS; i++)
			if (jobs[i].used && jobs[i].pid == pid) {
				jobs[i].exited = true;
				jobs[i].status = status;
				jobs[i].ended = boottime();
				jobs[i].out_left = available(jobs[i].out);
				jobs[i].err_left = available(jobs[i].err);
			}
}

static void drop_session(void)
{
	for (size_t i = 0; i < MAX_JOBS; i++)
		if (jobs[i].used) {
			if (!jobs[i].exited)
				kill(-jobs[i].pid, SIGKILL);
			forget_job(&jobs[i]);
		}
	out_from = out_to = 0;
	session = 0;
	nonce = 0;
}

/* ---- frames in ------------------------------------------------------------------- */

static void welcome(const char *payload)
{
	char answer[16];

	if (get64(payload) != nonce) {
		drop_session();
		nonce = get64(payload);
		session = (uint32_t)nonce;
	}
	put64(answer, nonce);
	put32(answer + 8, VERSION);
	put32(answer + 12, (uint32_t)getpid());
	send_frame(WELCOME, 0, answer, sizeof(answer));
}

/* Gives a restored guest its own time and randomness. Returns 0 or an errno. */
static uint32_t renew(const char *payload, uint32_t length)
{
	struct {
		struct rand_pool_info info;
		char bytes[256];
	} pool = { 0 };
	uint64_t now = get64(payload);
	struct timespec time = {
		.tv_sec = (time_t)(now / 1000000000u),
		.tv_nsec = (long)(now % 1000000000u),
	};
	uint32_t bytes = length - 8;
	int fd;
	uint32_t error = 0;

	if (clock_settime(CLOCK_REALTIME, &time) < 0)
		error = (uint32_t)errno;
	fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return (uint32_t)errno;
	if (bytes > sizeof(pool.bytes))
		bytes = sizeof(pool.bytes);
	pool.info.entropy_count = (int)bytes * 8;
	pool.info.buf_size = (int)bytes;
	memcpy(pool.info.buf, payload + 8, bytes);
	if (ioctl(fd, RNDADDENTROPY, &pool) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0)
		error = (uint32_t)errno;
	close(fd);
	return error;
}

static void take_frame(const struct header *header, char *payload)
{
	struct job *job = find_job(header->id);
	uint32_t length = header->length;
	char pong[8];

	switch (header->type) {
	case PUT:
		if (length < 13)
			break;
		/* fall through */
	case EXEC:
	case GET:
		payload[length] = '\0';		/* over the trailer, which was looked at */
		start_job(header, payload);
		break;
	case INPUT:
		if (job)
			take_input(job, payload, length);
		break;
	case SIGNAL:
		if (job && !job->exited && length == 4)
			kill(-job->pid, (int)get32(payload));
		break;
	case CREDIT:
		if (job && length == 4)
			job->credit += get32(payload);
		break;
	case PING:
		put64(pong, boottime());
		send_frame(PONG, header->id, pong, sizeof(pong));
		break;
	case RENEW:
		if (length >= 8)
			send_u32(DONE, header->id, renew(payload, length));
		break;
	}
}

/*
 * The host may have gone in the middle of a frame, and the next one begun anew. So a frame
 * counts only with its trailer in place, and where it has none the search for the next one
 * begins one byte further. A host that gets no answer sends more than MAX_PAYLOAD zeros first,
 * which ends any frame that was left open.
 */
static void take_frames(void)
{
	size_t at = 0;

	while (in_length - at >= sizeof(struct header) && room_for_control()) {
		struct header header;
		char *payload = in + at + sizeof(header);
		bool hello;

		memcpy(&header, in + at, sizeof(header));
		header.magic = le32toh(header.magic);
		header.session = le32toh(header.session);
		header.id = le32toh(header.id);
		header.type = le16toh(header.type);
		header.length = le32toh(header.length);
		if (header.magic != MAGIC || header.length > MAX_PAYLOAD) {
			char *next = memchr(in + at + 1, MAGIC & 0xff, in_length - at - 1);

			at = next ? (size_t)(next - in) : in_length;
			continue;
		}
		if (in_length - at < header.length + OVERHEAD)
			break;
		if (get32(payload + header.length) != (TRAILER ^ header.session)) {
			at++;
			continue;
		}
		hello = header.type == HELLO && header.length == 8;
		if (hello)
			welcome(payload);
		else if (session && header.session == session)
			take_frame(&header, payload);
		at += header.length + OVERHEAD;
	}
	memmove(in, in + at, in_length - at);
	in_length -= at;
}

enum other_end { CONNECTED, AWAY, GONE };

static enum other_end read_port(void)
{
	ssize_t n;

	if (in_length == sizeof(in))
		return CONNECTED;	/* full of frames that wait for room_for_control() */
	n = read(port, in + in_length, sizeof(in) - in_length);
	if (n > 0) {
		in_length += (size_t)n;
		return CONNECTED;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return CONNECTED;
	return n < 0 && errno == ENODEV ? GONE : AWAY;
}

/* ---- the loop -------------------------------------------------------------------- */

static size_t add_poll(struct pollfd *polls, size_t count, int fd, short events)
{
	polls[count].fd = events ? fd : -1;
	polls[count].events = events;
	polls[count].revents = 0;
	return count + 1;
}

/* Whom to wait for: nothing that could not be served at once, or poll() would spin. */
static size_t fill_polls(struct pollfd *polls, bool connected)
{
	bool room = out_room() >= CONTROL_ROOM + OVERHEAD + 4096;
	bool take = room_for_control() && in_length < sizeof(in);
	size_t count = 0;

	count = add_poll(polls, count, signals, POLLIN);
	count = add_poll(polls, count, connected ? port : -1,
			 (short)((take ? POLLIN : 0) | (out_from < out_to ? POLLOUT : 0)));
	for (size_t i = 0; i < MAX_JOBS; i++) {
		struct job *job = &jobs[i];
		short output = room && job->credit ? POLLIN : 0;

		if (!job->used)
			continue;
		count = add_poll(polls, count, job->in,
				 job->input_from < job->input_to && room_for_control() ? POLLOUT : 0);
		count = add_poll(polls, count, job->out, output);
		count = add_poll(polls, count, job->err, output);
	}
	return count;
}

/* Serves until the port itself is gone (or, for --fd, its other end). */
static void serve(bool until_end)
{
	static struct pollfd polls[2 + 3 * MAX_JOBS];
	bool connected = true;

	send_frame(READY, 0, NULL, 0);
	for (;;) {
		size_t count;

		connected = flush_out() && connected;
		count = fill_polls(polls, connected);
		/* Without a host the port is always "hung up": look again now and then. */
		if (poll(polls, count, connected ? -1 : 20) < 0 && errno != EINTR)
			return;
		if (polls[0].revents)
			reap();
		if (!connected || polls[1].revents & (POLLIN | POLLHUP | POLLERR)) {
			enum other_end end = read_port();

			if (end == GONE || (end == AWAY && until_end))
				return;
			connected = end == CONNECTED;
		}
		take_frames();
		for (size_t i = 0; i < MAX_JOBS; i++)
			if (jobs[i].used)
				pump_job(&jobs[i]);
	}
}

static int open_port(void)
{
	static const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

	for (;; nanosleep(&pause, NULL)) {
		DIR *ports = opendir("/sys/class/virtio-ports");
		struct dirent *entry;

		while (ports && (entry = readdir(ports))) {
			char path[300], name[64] = "";
			FILE *file;
			int fd;

			snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
			file = fopen(path, "re");
			if (!file)
				continue;
			if (!fgets(name, sizeof(name), file))
				name[0] = '\0';
			fclose(file);
			name[strcspn(name, "\n")] = '\0';
			if (strcmp(name, PORT_NAME))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
			if (fd >= 0) {
				closedir(ports);
				return fd;
			}
		}
		if (ports)
			closedir(ports);
	}
}

/* The agent is what tells a hung command from a hung kernel: it must outlive trouble. */
static void take_cover(void)
{
	static const struct sched_param first = { .sched_priority = 1 };
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		adjusted_oom = write_all(fd, "-1000", 5) == 0;
		close(fd);
	}
	mlockall(MCL_CURRENT | MCL_FUTURE);
	sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &first);
}

int main(int argc, char **argv)
{
	sigset_t mask;
	int fd;

	do {	/* descriptors 0 to 2 must not become pipes of a job */
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	close(fd);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 0);
	for (size_t i = 0; i < MAX_JOBS; i++)
		jobs[i].in = jobs[i].out = jobs[i].err = -1;

	if (argc == 3 && !strcmp(argv[1], "--fd")) {
		port = atoi(argv[2]);
		fcntl(port, F_SETFL, O_NONBLOCK);
		fcntl(port, F_SETFD, FD_CLOEXEC);
	} else if (argc == 1) {
		take_cover();
		port = open_port();
	} else {
		fprintf(stderr, "usage: %s [--fd N]\n", argv[0]);
		return 2;
	}
	serve(argc == 3);
	drop_session();
	return 0;
}
