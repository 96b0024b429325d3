#include "kernel_like.h"

__entry_text int enter(int x)
{
	return helper(x) + 2;
}

__entry_text int leave(int x)
{
	return helper(x) + 3;
}
