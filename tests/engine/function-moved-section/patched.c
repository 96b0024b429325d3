#include "kernel_like.h"

int first(int x)
{
	return helper(x) + 1;
}

__section(".text.unlikely.second") int second(int x)
{
	return helper(x) * 3;
}
