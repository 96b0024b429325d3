#include "kernel_like.h"

static notrace int hidden(int x)
{
	return helper(x) + 1;
}
int (*handler)(int) = hidden;
