#include "kernel_like.h"

static const int weights[] = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5 };

int pick(int x)
{
	return helper(weights[x & 7]);
}

int choose(int x)
{
	return other_helper(weights[x & 7]) + 1;
}

int other(int x)
{
	return helper(x);
}
