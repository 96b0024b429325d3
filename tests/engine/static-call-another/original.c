#include "kernel_like.h"

DECLARE_STATIC_CALL(hook);
DECLARE_STATIC_CALL(other_hook);

int first(int x)
{
	static_call(hook)();
	return helper(x);
}

int second(int x)
{
	static_call(hook)();
	return helper(x) + 1;
}
