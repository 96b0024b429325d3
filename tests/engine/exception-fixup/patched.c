#include "kernel_like.h"

int read_it(const int *from)
{
	int to, error = 0;
	asm volatile("1: movl %2, %1\n2:\n"
		     ".pushsection .fixup, \"ax\"\n3: movl $-14, %0\n jmp 2b\n.popsection\n"
		     EXTABLE("1b", "3b", 1) : "+r"(error), "=r"(to) : "m"(*from));
	return helper(to) + error;
}

int other(const int *from)
{
	int to, error = 0;
	asm volatile("1: movl %2, %1\n2:\n"
		     ".pushsection .fixup, \"ax\"\n3: movl $-5, %0\n jmp 2b\n.popsection\n"
		     EXTABLE("1b", "3b", 1) : "+r"(error), "=r"(to) : "m"(*from));
	return helper(to) - error;
}
