#include "kernel_like.h"

static noinline __attribute__((noipa)) int one(int x)
{
	return helper(x) + 1;
}

static noinline __attribute__((noipa)) int two(int x)
{
	return helper(x) + 2;
}

int caller(int x)
{
	return two(x) ^ 3;
}

int keeper(int x)
{
	return two(x) & one(x);
}
