#include "kernel_like.h"

int level = 3;

int first(int x)
{
	return helper(x) + 1;
}

int second(int x)
{
	return helper(x) * level++;
}
