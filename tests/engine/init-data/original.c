#include "kernel_like.h"

int __initdata boot_level = 3;

int first(int x)
{
	return helper(x) + 1;
}

int second(int x)
{
	return helper(x) * 3;
}
int __init thing_init(void)
{
	return helper(boot_level);
}
