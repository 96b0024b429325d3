#include "kernel_like.h"

BTF_ID(func, first);
BTF_ID(func, second);

int first(int x)
{
	return helper(x) + 1;
}

int second(int x)
{
	return helper(x) * 3;
}
