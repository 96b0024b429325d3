#include "kernel_like.h"

int shared[4];

int first(int x)
{
	return helper(x) + shared[x & 3]++;
}
