#include "kernel_like.h"

int first(int x)
{
	const int table[7] = { 9, 4, 7, 1, 8, 3, 2 };

	return helper(table[x] + table[x + 2]);
}
