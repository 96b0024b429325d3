#include "kernel_like.h"

void fill(int *, int);

int sum(int x)
{
	int parts[4];

	fill(parts, x);
	return parts[x & 3];
}
