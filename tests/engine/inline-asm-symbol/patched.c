#include "kernel_like.h"

static noinline __used int target_one(int x)
{
	return helper(x) + 1;
}

static noinline __used int target_two(int x)
{
	return helper(x) + 2;
}

int first(int x)
{
	asm volatile("call target_two" : "+D"(x) :: "rax", "rcx", "rdx", "rsi", "memory");
	return x;
}
