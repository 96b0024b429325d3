#include "kernel_like.h"

int features __ro_after_init = 3;

int first(int x)
{
	return helper(x) + features;
}
