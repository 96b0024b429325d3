#include "kernel_like.h"

static noinline int scale(int x, int factor, int unused)
{
	return helper(x) * factor;
}

int first(int x)
{
	return scale(x, 3, x) + 1;
}

int second(int x)
{
	return helper(x) + 1;
}
