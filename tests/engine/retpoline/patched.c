#include "kernel_like.h"

int first(int (*run)(int), int x)
{
	return run(x) + 1;
}

int second(int (*run)(int), int x)
{
	return run(x) + 3;
}
