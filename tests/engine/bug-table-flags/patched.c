#include "kernel_like.h"

int check(int x)
{
	WARN_ON_ONCE(x > 9);
	if (WARN_ON_ONCE(x < 0))
		return -1;
	BUG_ON(x == 5);
	return helper(x);
}

int other(int x)
{
	return helper(x);
}
