#include "kernel_like.h"

int first(int x)
{
	return helper(x) + 1;
}

/* a comment */


int second(int x)
{
	return helper(x) * 3;
}
