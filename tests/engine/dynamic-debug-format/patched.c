#include "kernel_like.h"

int first(int x)
{
	pr_debug("first");
	return helper(x);
}

int second(int x)
{
	pr_debug("2nd");
	return helper(x);
}
