#include "kernel_like.h"

int second(int x)
{
	static int count;
	count += 2;
	return helper(x) - count;
}

int first(int x)
{
	static int count;
	return helper(x) + count++;
}

