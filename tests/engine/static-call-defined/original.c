#include "kernel_like.h"

DECLARE_STATIC_CALL(hook);

int one(int x)
{
	return helper(x) + 1;
}

int two(int x)
{
	return helper(x) + 2;
}
DEFINE_STATIC_CALL(hook, one);
