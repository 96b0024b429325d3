#include "kernel_like.h"

int check(int x)
{
	int line = __LINE__;
	__might_sleep("file", line);
	return helper(line);
}
