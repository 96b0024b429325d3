#include "kernel_like.h"

int hits = 3;

int first(int x)
{
	return helper(x);
}
