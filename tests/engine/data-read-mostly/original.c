#include "kernel_like.h"

int alpha __read_mostly = 1;
int beta __read_mostly = 2;

int first(int x)
{
	return helper(x) + alpha;
}

int second(int x)
{
	if (beta == 77)
		return helper(x) + beta;
	return helper(x);
}
