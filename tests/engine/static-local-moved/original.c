#include "kernel_like.h"

int first(int x)
{
	static int count;
	return helper(x) + count++;
}

int second(int x)
{
	return helper(x) * 3;
}
