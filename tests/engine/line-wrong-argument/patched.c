#include "kernel_like.h"

int check(int x)
{
	lockdep_rcu_suspicious((const char *)78, 5, "text");
	return helper(x);
}
