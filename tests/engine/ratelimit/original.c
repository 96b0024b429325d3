#include "kernel_like.h"

int check(int x)
{
	if (x > 9)
		ratelimited("too big\n");
	return helper(x);
}

int keep(int x)
{
	if (x > 99)
		ratelimited("much too big\n");
	return helper(x);
}
