#include "kernel_like.h"

static inline int scale(int x)
{
	return x * 3;
}

int first(int x)
{
	return helper(scale(x));
}

int second(int x)
{
	return other_helper(scale(x) + 1);
}

int third(int x)
{
	return helper(x);
}
