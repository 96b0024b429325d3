#include "kernel_like.h"

static int fresh __read_mostly = 9;
int alpha __read_mostly = 1;
int beta __read_mostly = 2;

int first(int x)
{
	return helper(x) + alpha + fresh++;
}

int second(int x)
{
	if (beta == 77)
		return helper(x) + beta;
	return helper(x);
}
