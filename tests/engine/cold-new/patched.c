#include "kernel_like.h"

int check(int x)
{
	if (x < 0)
		panic("negative");
	return helper(x);
}
