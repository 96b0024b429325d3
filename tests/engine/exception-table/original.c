#include "kernel_like.h"

int read_it(const int *from)
{
	int to = 0;
	if (get_user(&to, from))
		return -14;
	return helper(to);
}

int other(const int *from)
{
	int to = 0;
	get_user(&to, from + 1);
	return to;
}
