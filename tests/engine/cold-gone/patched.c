#include "kernel_like.h"

int check(int x)
{
	if (x < 0)
		return -1;
	return helper(x);
}
