#include "kernel_like.h"

static int before = 3;

int first(int x)
{
	return helper(x) + before++;
}
