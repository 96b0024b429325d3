#include "kernel_like.h"

int hits __percpu = 3;

int first(int x)
{
	return helper(x);
}
