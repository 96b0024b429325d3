/*
 * Registers memory for userfaultfd that lies where only root may map any: the lowest addresses.
 * What may be mapped there may also be watched.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void watch(unsigned long address)
{
	unsigned long size = sysconf(_SC_PAGESIZE);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = {
		.range = { .start = address, .len = size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	void *memory = mmap((void *)address, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (memory == MAP_FAILED || fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0) {
		perror("set up");
		_exit(2);
	}
	printf("at %#lx: %s\n", address,
	       ioctl(fd, UFFDIO_REGISTER, &area) < 0 ? strerror(errno) : "registered");
	close(fd);
	munmap(memory, size);
}

int main(void)
{
	watch(0x100000);
	watch(0x1000);
	return 0;
}
