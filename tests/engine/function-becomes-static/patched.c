#include "kernel_like.h"

static noinline __attribute__((noipa)) int worker(int x)
{
	return helper(x) + 1;
}

int caller(int x)
{
	return worker(x) * 2;
}
