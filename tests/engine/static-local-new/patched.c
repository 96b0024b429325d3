#include "kernel_like.h"

int first(int x)
{
	static int count;
	return helper(x) + count++;
}

int second(int x)
{
	static int count;
	static int limit = 9;
	count += limit++;
	return helper(x) - count;
}
