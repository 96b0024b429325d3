#include "kernel_like.h"

int check(int x)
{
	if (unlikely(x < 0)) {
		_printk("negative\n");
		panic("no way on");
	}
	return helper(x) + 2;
}
