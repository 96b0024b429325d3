#include "kernel_like.h"

int first(int x)
{
	return helper(x) + 1;
}

int second(int x)
{
	return helper(x) * 5;
}
EXPORT_SYMBOL(first);
EXPORT_SYMBOL(second);
