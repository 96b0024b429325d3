#include "kernel_like.h"

noinline __sched int wait_one(int x)
{
	return helper(x) + other_helper(x);
}

static noinline __sched int common_wait(int x)
{
	return helper(x) ^ 5;
}

__sched int wait_two(int x)
{
	return common_wait(x) + 2;
}

int first(int x)
{
	return wait_one(x);
}
