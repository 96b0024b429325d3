#include "kernel_like.h"

static notrace int hidden(int x)
{
	return helper(x) + 2;
}
int (*handler)(int) = hidden;
