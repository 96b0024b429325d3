#include "kernel_like.h"

static const int weights[] = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5 };
const int *current_weights = weights;

int pick(int x)
{
	return helper(current_weights[x & 7]);
}
