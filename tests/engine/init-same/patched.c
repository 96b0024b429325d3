#include "kernel_like.h"

int first(int x)
{
	return helper(x) + 1;
}

int second(int x)
{
	return helper(x) * 5;
}
int __init thing_init(void)
{
	return helper(1);
}
int __init other_init(void)
{
	return helper(thing_init());
}
