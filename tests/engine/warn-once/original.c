#include "kernel_like.h"

int check(int x)
{
	WARN_ONCE(x > 9, "too big\n");
	return helper(x);
}

int keep(int x)
{
	WARN_ONCE(x > 99, "much too big\n");
	return helper(x);
}
