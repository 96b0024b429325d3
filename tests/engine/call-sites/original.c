#include "kernel_like.h"

int first(int x)
{
	return helper(x) + helper(x + 1);
}

int second(int x)
{
	return helper(x) + 2;
}
