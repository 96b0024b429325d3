/*
 * Has the verifier explain a program that refers to a map, as somebody who may load programs
 * (CAP_BPF) but not see kernel addresses (CAP_PERFMON). Does the log show the map's address?
 */
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif
#ifndef BPF_PSEUDO_MAP_IDX
#define BPF_PSEUDO_MAP_IDX 5
#endif

static char log_[4096];

static void keep_cap_bpf_alone(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	data[CAP_TO_INDEX(CAP_BPF)].effective = CAP_TO_MASK(CAP_BPF);
	data[CAP_TO_INDEX(CAP_BPF)].permitted = CAP_TO_MASK(CAP_BPF);
	if (syscall(SYS_capset, &head, data) < 0) {
		perror("capset");
		exit(2);
	}
}

static int make_map(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = 4;
	attr.value_size = 8;
	attr.max_entries = 1;
	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int load_program(int *maps, __u32 kind)
{
	struct bpf_insn program[] = {
		/* r1 = the map: the first of the array, or by its descriptor */
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = kind,
		  .imm = kind == BPF_PSEUDO_MAP_FD ? maps[0] : 0 },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (unsigned long)program;
	attr.insn_cnt = sizeof(program) / sizeof(*program);
	attr.license = (unsigned long)"GPL";
	attr.fd_array = (unsigned long)maps;
	attr.log_buf = (unsigned long)log_;
	attr.log_size = sizeof(log_);
	attr.log_level = 2;
	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static void show(const char *how, int *maps, __u32 kind)
{
	const char *at;

	if (load_program(maps, kind) < 0) {
		perror(how);
		fputs(log_, stderr);
		exit(2);
	}
	at = strstr(log_, "r1 = 0x");
	if (!at) {
		fputs(log_, stderr);
		exit(2);
	}
	printf("map by %s: %s\n", how,
	       strtoull(at + strlen("r1 = "), NULL, 16) >> 48 == 0xffff ?
		       "a kernel address in the log" : "no kernel address in the log");
}

int main(void)
{
	int maps[1];

	keep_cap_bpf_alone();
	maps[0] = make_map();
	if (maps[0] < 0) {
		perror("map");
		return 2;
	}
	show("descriptor", maps, BPF_PSEUDO_MAP_FD);
	show("index", maps, BPF_PSEUDO_MAP_IDX);
	return 0;
}
