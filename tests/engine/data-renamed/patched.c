#include "kernel_like.h"

static int after = 3;

int first(int x)
{
	return helper(x) + after++;
}
