/*
 * Asks for timeouts with something in fields of the request that mean nothing (yet).
 * A kernel that takes them as they are can never give these fields a meaning.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	struct io_uring_params about;
	char *rings; /* both: IORING_FEAT_SINGLE_MMAP */
	struct io_uring_sqe *requests;
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void set_up(struct ring *ring)
{
	size_t size;

	ring->fd = syscall(SYS_io_uring_setup, 4, &ring->about);
	if (ring->fd < 0)
		die("io_uring_setup");
	size = ring->about.cq_off.cqes + ring->about.cq_entries * sizeof(struct io_uring_cqe);
	ring->rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			   IORING_OFF_SQ_RING);
	ring->requests = mmap(NULL, ring->about.sq_entries * sizeof(*ring->requests),
			      PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQES);
	if (ring->rings == MAP_FAILED || ring->requests == MAP_FAILED)
		die("mmap");
}

static unsigned int *word(struct ring *ring, __u32 offset)
{
	return (unsigned int *)(ring->rings + offset);
}

/* Submit one request and return what came of it. */
static int outcome(struct ring *ring, const struct io_uring_sqe *request)
{
	unsigned int *tail = word(ring, ring->about.sq_off.tail);
	unsigned int *head = word(ring, ring->about.cq_off.head);
	unsigned int at = *tail & *word(ring, ring->about.sq_off.ring_mask);
	struct io_uring_cqe *cqes = (void *)(ring->rings + ring->about.cq_off.cqes);
	int result;

	ring->requests[at] = *request;
	word(ring, ring->about.sq_off.array)[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		die("io_uring_enter");
	result = cqes[*head & *word(ring, ring->about.cq_off.ring_mask)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

static const char *in_words(int result)
{
	switch (result) {
	case -ETIME:
		return "ran out";
	case -ENOENT:
		return "nothing to remove";
	default:
		return strerror(-result);
	}
}

/* Submit a request as it is meant to be, then with something in each of the two fields. */
static void try(struct ring *ring, const char *what, struct io_uring_sqe request)
{
	/* By their place: what they are called differs between versions of the header. */
	__u64 *words = (__u64 *)&request;

	printf("%s: %s", what, in_words(outcome(ring, &request)));
	words[6] = 1;
	printf(", %s", in_words(outcome(ring, &request)));
	words[6] = 0;
	words[7] = 1;
	printf(", %s\n", in_words(outcome(ring, &request)));
}

int main(void)
{
	struct __kernel_timespec soon = { .tv_nsec = 1000 };
	struct io_uring_sqe timeout = {
		.opcode = IORING_OP_TIMEOUT,
		.addr = (unsigned long)&soon,
		.len = 1,
	};
	struct io_uring_sqe removal = { .opcode = IORING_OP_TIMEOUT_REMOVE, .addr = 1 };
	struct ring ring = { 0 };

	set_up(&ring);
	try(&ring, "timeout", timeout);
	try(&ring, "removal", removal);
	return 0;
}
