#include "kernel_like.h"

static noinline int after(int x)
{
	return helper(x) + 1;
}

int caller(int x)
{
	return after(x) * 2;
}
