#include "kernel_like.h"

void fill(int *, int);

int sum(int x)
{
	int piece[4];

	fill(piece, x);
	return piece[x & 3];
}
