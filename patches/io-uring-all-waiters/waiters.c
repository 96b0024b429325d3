/*
 * Two threads wait for completions of one ring: the first one for two, the second one for one.
 * Then one completion comes. The first thread has to go on waiting; does the second one hear of it?
 *
 * With an argument there is no first thread.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_S 5

struct waiter {
	pthread_t thread;
	pid_t id;
	int ring;
	unsigned int completions; /* so many it waits for */
};

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(2);
}

static void *wait_for_completions(void *argument)
{
	struct waiter *self = argument;

	__atomic_store_n(&self->id, syscall(SYS_gettid), __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, self->ring, 0, self->completions, IORING_ENTER_GETEVENTS,
		    NULL, 0) < 0)
		die("io_uring_enter");
	return NULL;
}

/* Whether a thread sleeps, as it does nowhere else but in the ring. */
static int sleeps(pid_t id)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", id);
	file = fopen(path, "r");
	if (!file)
		die(path);
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		die(path);
	fclose(file);
	return state == 'S';
}

static void start(struct waiter *waiter)
{
	if (pthread_create(&waiter->thread, NULL, wait_for_completions, waiter))
		die("pthread_create");
	while (!__atomic_load_n(&waiter->id, __ATOMIC_ACQUIRE) || !sleeps(waiter->id))
		sched_yield();
}

static int make_ring(struct io_uring_params *about)
{
	int ring = syscall(SYS_io_uring_setup, 4, about);

	if (ring < 0)
		die("io_uring_setup");
	return ring;
}

static void complete_one(int ring, const struct io_uring_params *about)
{
	size_t size = about->cq_off.cqes + about->cq_entries * sizeof(struct io_uring_cqe);
	char *rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	struct io_uring_sqe *requests = mmap(NULL, about->sq_entries * sizeof(*requests),
					     PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);

	if (rings == MAP_FAILED || requests == MAP_FAILED)
		die("mmap");
	memset(requests, 0, sizeof(*requests));
	requests->opcode = IORING_OP_NOP;
	((unsigned int *)(rings + about->sq_off.array))[0] = 0;
	__atomic_store_n((unsigned int *)(rings + about->sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0) != 1)
		die("submit");
}

int main(int count, char **words)
{
	struct io_uring_params about = { 0 };
	int ring = make_ring(&about);
	struct waiter patient = { .ring = ring, .completions = 2 };
	struct waiter content = { .ring = ring, .completions = 1 };
	struct timespec until;

	(void)words;
	if (count == 1)
		start(&patient);
	start(&content);
	complete_one(ring, &about);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LONGEST_S;
	printf("the second waiter: %s\n",
	       pthread_timedjoin_np(content.thread, NULL, &until) ? "still waits" : "goes on");
	return 0;
}
