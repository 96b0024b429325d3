#include "kernel_like.h"

noinline notrace int hidden(int x)
{
	return helper(x) + 1;
}

int first(int x)
{
	return hidden(x) * 2;
}
