#include "kernel_like.h"

noinline notrace int hidden(int x)
{
	return helper(x) + 2;
}

notrace int first(int x)
{
	return hidden(x) * 2;
}
