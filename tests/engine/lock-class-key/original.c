#include "kernel_like.h"

int setup(void *lock)
{
	lock_init(lock);
	return helper(1);
}

int setup_more(void *lock)
{
	lock_init(lock);
	return helper(2);
}
