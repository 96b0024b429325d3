// SPDX-License-Identifier: GPL-2.0-only
/* Kernel memory as it stands, through /proc/kcore's program headers. */

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

#define LONGEST 256

static int read_memory(int fd, unsigned long long address, unsigned char *buffer, size_t length)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	int i;

	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return -EIO;
	for (i = 0; i < header.e_phnum; i++) {
		off_t at = (off_t)(header.e_phoff + (Elf64_Off)i * sizeof(segment));

		if (pread(fd, &segment, sizeof(segment), at) != (ssize_t)sizeof(segment))
			return -EIO;
		if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
		    address + length > segment.p_vaddr + segment.p_memsz)
			continue;
		at = (off_t)(segment.p_offset + (address - segment.p_vaddr));
		if (pread(fd, buffer, length, at) != (ssize_t)length)
			return errno ? -errno : -EIO;
		return 0;
	}
	return -EFAULT;
}

int command_bytes(int argc, char **argv)
{
	int i, fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "/proc/kcore: %s\n", strerror(errno));
		return 1;
	}
	for (i = 0; i < argc; i++) {
		unsigned char bytes[LONGEST];
		char *end;
		unsigned long long address = strtoull(argv[i], &end, 16);
		size_t j, length = *end == ':' ? strtoul(end + 1, NULL, 10) : 16;
		int error;

		if (length > LONGEST)
			length = LONGEST;
		error = read_memory(fd, address, bytes, length);
		printf("{\"address\":\"%llx\",\"t\":%lld,\"errno\":%d,\"hex\":\"", address, now_ns(), -error);
		for (j = 0; !error && j < length; j++)
			printf("%02x", bytes[j]);
		printf("\"}\n");
	}
	close(fd);
	return 0;
}
