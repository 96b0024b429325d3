#include "kernel_like.h"

int setting = 3;

int first(int x)
{
	return helper(x) + setting;
}
