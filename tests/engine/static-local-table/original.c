#include "kernel_like.h"

int pick(int x)
{
	static const int steps[] = { 3, 1, 4, 1, 5, 9, 2, 6 };
	return helper(steps[x & 7]) + 1;
}

int keep(int x)
{
	static const int steps[] = { 2, 7, 1, 8, 2, 8, 1, 8 };
	return helper(steps[x & 7]);
}
