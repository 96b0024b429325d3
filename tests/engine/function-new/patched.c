#include "kernel_like.h"

int first(int x)
{
	return helper(x) + 1;
}

static noinline int third(int x)
{
	return other_helper(x) + 7;
}

int second(int x)
{
	return third(x) * 3;
}
