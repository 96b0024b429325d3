#include "kernel_like.h"

int features __ro_after_init = 7;

int first(int x)
{
	return helper(x) + features;
}
