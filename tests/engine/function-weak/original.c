#include "kernel_like.h"

__attribute__((weak)) int arch_hook(int x)
{
	return helper(x);
}

int caller(int x)
{
	return arch_hook(x) + 1;
}
