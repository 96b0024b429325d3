#include "kernel_like.h"

int check(int x)
{
	WARN_ONCE(x > 9, "too big\n");
	return helper(x);
}
