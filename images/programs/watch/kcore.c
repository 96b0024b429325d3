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

/*
 * klp_shadow_hash has 4096 chains (DEFINE_HASHTABLE(klp_shadow_hash, 12)) of
 *
 *	struct klp_shadow { struct hlist_node node; struct rcu_head rcu_head; void *obj;
 *			    unsigned long id; char data[]; };
 *
 * (kernel/livepatch/shadow.c, 4.15 to 6.12.) Nobody can be asked to hold still meanwhile, so a chain
 * that leads nowhere ends the count with the error.
 */
#define CHAINS 4096
#define ID_OFFSET 40
#define MOST_IDS 1000

struct ids {
	unsigned long long id[MOST_IDS];
	int count;
};

static int follow_chain(int fd, unsigned long long node, struct ids *found)
{
	while (node && found->count < MOST_IDS) {
		unsigned char bytes[ID_OFFSET + sizeof(unsigned long long)];
		int error = read_memory(fd, node, bytes, sizeof(bytes));

		if (error)
			return error;
		memcpy(&found->id[found->count++], bytes + ID_OFFSET, sizeof(unsigned long long));
		memcpy(&node, bytes, sizeof(node));
	}
	return 0;
}

static int read_shadows(int fd, unsigned long long hash, struct ids *found)
{
	static unsigned long long heads[CHAINS];
	int i, error = read_memory(fd, hash, (unsigned char *)heads, sizeof(heads));

	for (i = 0; !error && i < CHAINS; i++)
		error = follow_chain(fd, heads[i], found);
	return error;
}

int command_shadows(int argc, char **argv)
{
	static struct ids found;
	int i, error, fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);

	if (argc != 1 || fd < 0) {
		fprintf(stderr, "/proc/kcore: %s\n", strerror(errno));
		return 1;
	}
	error = read_shadows(fd, strtoull(argv[0], NULL, 16), &found);
	close(fd);
	printf("{\"t\":%lld,\"errno\":%d,\"ids\":[", now_ns(), -error);
	for (i = 0; i < found.count; i++)
		printf("%s\"%llx\"", i ? "," : "", found.id[i]);
	printf("]}\n");
	return 0;
}
