#include "kernel_like.h"

noinstr int enter(int x)
{
	return helper(x) + 1;
}

int first(int x)
{
	return enter(x) * 2;
}
