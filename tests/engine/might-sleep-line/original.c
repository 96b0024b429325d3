#include "kernel_like.h"

int wait(int x)
{
	might_sleep();
	return helper(x);
}

int wait_long(int x)
{
	helper(x);
	might_sleep();
	if (x > 3)
		lockdep_rcu_suspicious(__FILE__, __LINE__, "suspicious");
	return helper(x);
}
