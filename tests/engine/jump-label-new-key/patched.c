#include "kernel_like.h"

struct static_key fast_path, slow_path;

static struct static_key fresh;

int check(int x)
{
	if (static_branch(&fresh))
		return helper(x);
	return other_helper(x);
}

int other(int x)
{
	if (static_branch(&slow_path))
		return helper(x) + 1;
	return x;
}
