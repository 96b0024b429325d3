#include "kernel_like.h"

int first(int x)
{
	static int count;
	return helper(x) + count++;
}

int second(int x)
{
	static int count;
	count += 3;
	return helper(x) - count;
}
