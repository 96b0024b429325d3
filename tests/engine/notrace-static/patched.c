#include "kernel_like.h"

static noinline notrace int hidden(int x)
{
	return helper(x) + 2;
}

int first(int x)
{
	return hidden(x) * 2;
}

int second(int x)
{
	return hidden(x) * 3;
}

int third(int x)
{
	return helper(x);
}
