#include "kernel_like.h"

int zeroth(int x)
{
	if (cpu_has(9))
		return helper(x) + 9;
	return 1;
}

int first(int x)
{
	if (cpu_has(5))
		return helper(x);
	return other_helper(x);
}
