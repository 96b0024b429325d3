#include "kernel_like.h"

long sys_thing(long x)
{
	return helper(x) + 2;
}
long alias_thing(long x) __attribute__((alias("sys_thing")));
