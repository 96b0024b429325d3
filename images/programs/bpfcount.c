// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpfcount - counts the entries of one kernel function by a BPF program on it, or its returns
 *
 *   bpfcount attach fentry|fexit FUNCTION
 *   bpfcount count
 *   bpfcount detach
 *
 * The program is a few instructions that add one to a number in a map. Program and map are held by a
 * BPF file system, so that they stay from one command to the next. No libbpf: what is needed of it
 * is one look into the kernel's own types (/sys/kernel/btf/vmlinux) for the function's number.
 *
 * What the kernel refuses is told on standard error, with exit status 1 and the error in words.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PLACE	"/run/bpfcount"
#define LINK	PLACE "/link"
#define MAP	PLACE "/map"
#define TYPES	"/sys/kernel/btf/vmlinux"

static void die(const char *what)
{
	fprintf(stderr, "bpfcount: cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static char *read_types(void)
{
	struct stat about;
	size_t got = 0;
	ssize_t more;
	char *types;
	int fd = open(TYPES, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &about))
		die("open " TYPES);
	types = malloc((size_t)about.st_size);
	if (!types)
		die("find memory");
	while (got < (size_t)about.st_size) {
		more = read(fd, types + got, (size_t)about.st_size - got);
		if (more <= 0)
			die("read " TYPES);
		got += (size_t)more;
	}
	close(fd);
	return types;
}

/* How many bytes follow a type's three words, by its kind. */
static size_t rest_of(const struct btf_type *type)
{
	size_t members = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case 17: /* BTF_KIND_DECL_TAG */
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case 19: /* BTF_KIND_ENUM64 */
		return members * 12;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return members * 8;
	default:
		return 0;
	}
}

/* The number of a function among the kernel's types; numbers begin with 1. */
static uint32_t find_function(const char *name)
{
	char *types = read_types();
	const struct btf_header *header = (const void *)types;
	const char *strings = types + header->hdr_len + header->str_off;
	const char *at = types + header->hdr_len + header->type_off;
	const char *end = at + header->type_len;
	uint32_t id;

	for (id = 1; at < end; id++) {
		const struct btf_type *type = (const void *)at;

		if (BTF_INFO_KIND(type->info) == BTF_KIND_FUNC && !strcmp(strings + type->name_off, name)) {
			free(types);
			return id;
		}
		at += sizeof(*type) + rest_of(type);
	}
	errno = ENOENT;
	die("find the function among the kernel's types");
	return 0;
}

static int make_map(void)
{
	union bpf_attr attr = {0};
	int fd;

	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = 4;
	attr.value_size = 8;
	attr.max_entries = 1;
	fd = bpf(BPF_MAP_CREATE, &attr);
	if (fd < 0)
		die("make the map");
	return fd;
}

static int load_program(int map, enum bpf_attach_type where, uint32_t function)
{
	const struct bpf_insn program[] = {
		/* key 0 on the stack; r2 points to it, r1 is the map */
		{.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .off = -4, .imm = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -4},
		{.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_FD, .imm = map},
		{0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 2, .imm = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_0,
		 .src_reg = BPF_REG_1, .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {0};
	int fd;

	attr.prog_type = BPF_PROG_TYPE_TRACING;
	attr.expected_attach_type = where;
	attr.attach_btf_id = function;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = sizeof(program) / sizeof(program[0]);
	attr.license = (uintptr_t)"GPL";
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		die("load the program");
	return fd;
}

static void pin(int fd, const char *path)
{
	union bpf_attr attr = {0};

	attr.pathname = (uintptr_t)path;
	attr.bpf_fd = (uint32_t)fd;
	if (bpf(BPF_OBJ_PIN, &attr))
		die("pin");
}

static int attach(const char *where, const char *function)
{
	enum bpf_attach_type type = strcmp(where, "fexit") ? BPF_TRACE_FENTRY : BPF_TRACE_FEXIT;
	union bpf_attr attr = {0};
	int map = make_map();
	int link;

	mkdir(PLACE, 0700);
	if (mount("bpf", PLACE, "bpf", 0, NULL))
		die("mount a BPF file system");
	attr.raw_tracepoint.prog_fd = (uint32_t)load_program(map, type, find_function(function));
	link = bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
	if (link < 0)
		die("attach the program");
	pin(map, MAP);
	pin(link, LINK);
	return 0;
}

static int count(void)
{
	union bpf_attr attr = {0};
	uint64_t number = 0;
	uint32_t key = 0;
	int map;

	attr.pathname = (uintptr_t)MAP;
	map = bpf(BPF_OBJ_GET, &attr);
	if (map < 0)
		die("open the map");
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&number;
	if (bpf(BPF_MAP_LOOKUP_ELEM, &attr))
		die("read the map");
	printf("%llu\n", (unsigned long long)number);
	return 0;
}

/* The program leaves the function with its link, which nothing but the file system holds. */
static int detach(void)
{
	if (unlink(LINK) || unlink(MAP))
		die("remove the pins");
	if (umount(PLACE))
		die("unmount the BPF file system");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "attach"))
		return attach(argv[2], argv[3]);
	if (argc == 2 && !strcmp(argv[1], "count"))
		return count();
	if (argc == 2 && !strcmp(argv[1], "detach"))
		return detach();
	fprintf(stderr, "usage: bpfcount attach fentry|fexit FUNCTION | count | detach\n");
	return 2;
}
