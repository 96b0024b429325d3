#include "kernel_like.h"

int first(int x)
{
	if (cpu_has(5))
		return helper(x);
	return other_helper(x);
}

int second(int x)
{
	if (cpu_has(70))
		return helper(x) + 1;
	return other_helper(x);
}
