#include "kernel_like.h"

int one(int x)
{
	return helper(x) + 1;
}

int two(int x)
{
	return helper(x) + 2;
}

int (*handlers[])(int) = { two, two };

int run(int x)
{
	return handlers[x & 1](x);
}
