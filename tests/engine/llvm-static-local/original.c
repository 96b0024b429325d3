#include "kernel_like.h"

int first(int x)
{
	static int count = 3;
	return helper(x) + count++;
}

int second(int x)
{
	static int count = 5;
	return helper(x) + count++ + 1;
}
