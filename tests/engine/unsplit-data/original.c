#include "kernel_like.h"

static int limit = 10;
int table[4] = { 1, 2, 3, 4 };
static int scratch[8];

int first(int x)
{
	scratch[x & 7]++;
	limit += x;
	return helper(limit) + table[x & 3];
}

int second(int x)
{
	return helper(scratch[x & 7]) + limit;
}
