#include "kernel_like.h"

int first(int x)
{
	if (cpu_has(5))
		return helper(x);
	return other_helper(x);
}
