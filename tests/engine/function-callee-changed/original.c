#include "kernel_like.h"

static noinline int callee(int x)
{
	return helper(x) + 1;
}

int caller(int x)
{
	return callee(x) * 2;
}
