#include "kernel_like.h"

int read_it(const int *from)
{
	int to = 0;
	if (get_user(&to, from))
		return -14;
	return helper(to);
}

int other(const int *from)
{
	int to = 0;
	asm volatile("1: movl %1, %0\n2:\n" EXTABLE("1b", "2b", 3) : "=r"(to) : "m"(*from));
	return to;
}
