#include "kernel_like.h"

static noinline int third(int x)
{
	return other_helper(x) + 7;
}

int first(int x)
{
	return helper(x) + 1;
}

int second(int x)
{
	return third(x) * 3;
}
