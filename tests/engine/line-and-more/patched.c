#include "kernel_like.h"



int wait(int x)
{
	might_sleep();
	return helper(x + 1001);
}
