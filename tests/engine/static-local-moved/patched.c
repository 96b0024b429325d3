#include "kernel_like.h"

int first(int x)
{
	return helper(x) + 4;
}

int second(int x)
{
	static int count;
	return helper(x) * count--;
}
