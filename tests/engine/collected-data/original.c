#include "kernel_like.h"

struct entry { int a; };

int first(int x)
{
	return helper(x) + 1;
}

int second(int x)
{
	return helper(x) * 3;
}
