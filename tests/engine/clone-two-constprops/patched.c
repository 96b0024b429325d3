#include "kernel_like.h"

static noinline int scale(int x, int factor)
{
	int i, sum = 0;
	for (i = 0; i < factor; i++)
		sum += helper(x + i) ^ (factor > 100 ? 5 : 7);
	return sum;
}

int first(int x)
{
	return scale(x, 3) + scale(x + 1, 3);
}

int second(int x)
{
	return scale(x, 300) + scale(x + 1, 300);
}
