#include "kernel_like.h"

void report(int x);

int check(int x)
{
	if (unlikely(x < 0)) {
		_printk("negative %d\n", x);
		panic("no way on");
	}
	return helper(x);
}

int other(int x)
{
	return helper(x) + 1;
}
