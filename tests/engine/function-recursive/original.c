#include "kernel_like.h"

int walk(int depth)
{
	return depth ? helper(walk(depth - 1)) + walk(depth - 2) : 0;
}

int other(int x)
{
	return helper(x);
}
