#include "kernel_like.h"




int first(int x)
{
	pr_debug("first");
	return helper(x);
}

int second(int x)
{
	pr_debug("second");
	return helper(x);
}
