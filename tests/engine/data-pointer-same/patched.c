#include "kernel_like.h"

int one(int x)
{
	return helper(x) + 1;
}

int two(int x)
{
	return helper(x) + 3;
}

int (*handlers[])(int) = { one, two };

int run(int x)
{
	return handlers[x & 1](x);
}
