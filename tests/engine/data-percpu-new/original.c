#include "kernel_like.h"

int count(int x)
{
	return helper(x);
}
