#include "kernel_like.h"

int setting __read_mostly = 3;

int first(int x)
{
	return helper(x) + setting;
}
