#include "kernel_like.h"

__entry_text int enter(int x)
{
	return helper(x) + 1;
}

__entry_text int leave(int x)
{
	return helper(x) + 3;
}
