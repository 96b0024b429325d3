#include "kernel_like.h"

int level, depth;
module_param(level);

int first(int x)
{
	return helper(x) + 1;
}

int second(int x)
{
	return helper(x) * 3;
}
