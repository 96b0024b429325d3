#include "kernel_like.h"

int first(int x)
{
	int i, sum = 0;
	for (i = 0; i < x; i++)
		sum += helper(i);
	return sum;
}

int second(int x)
{
	int i, sum = 0;
	for (i = 0; i < x; i++)
		sum += other_helper(i);
	return sum;
}
