#include "kernel_like.h"

static inline int ticket(void)
{
	static int next_ticket = 100;
	return next_ticket++;
}

int caller(int x)
{
	return helper(x) + ticket();
}
