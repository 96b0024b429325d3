#include "kernel_like.h"

noinstr int enter(int x)
{
	return helper(x) + 2;
}

int first(int x)
{
	return enter(x) * 2;
}
