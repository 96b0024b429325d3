#include "kernel_like.h"

int value, another;

int first(int x)
{
	atomic_inc(&value);
	return helper(x);
}

int second(int x)
{
	atomic_inc(&value);
	atomic_inc(&another);
	return helper(x) + 1;
}
