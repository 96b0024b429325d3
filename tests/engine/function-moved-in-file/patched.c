#include "kernel_like.h"

int second(int x)
{
	return helper(x) * 3;
}

int first(int x)
{
	return helper(x) + 1;
}

