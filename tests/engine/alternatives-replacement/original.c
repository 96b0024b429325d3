#include "kernel_like.h"

int first(int x)
{
	asm volatile(ALTERNATIVE(".byte 0x0f, 0x1f, 0x00", "lfence", 100) ::: "memory");
	return helper(x);
}

int second(int x)
{
	asm volatile(ALTERNATIVE(".byte 0x0f, 0x1f, 0x00", "mfence", 101) ::: "memory");
	return helper(x);
}
