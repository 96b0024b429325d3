#include "kernel_like.h"

int __init prepare(int x)
{
	return other_helper(x) + helper(x);
}

int first(int x)
{
	return helper(x) + 1;
}

int second(int x)
{
	return helper(x) * 3;
}
