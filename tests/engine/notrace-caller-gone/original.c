#include "kernel_like.h"

static noinline notrace int hidden(int x)
{
	return helper(x) + 1;
}

static noinline int between(int x)
{
	return hidden(x) * 5;
}

int first(int x)
{
	return between(x) * 2;
}

int second(int x)
{
	return hidden(x) * 3;
}
