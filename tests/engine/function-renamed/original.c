#include "kernel_like.h"

static noinline int before(int x)
{
	return helper(x) + 1;
}

int caller(int x)
{
	return before(x) * 2;
}
