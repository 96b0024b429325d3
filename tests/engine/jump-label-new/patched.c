#include "kernel_like.h"

struct static_key fast_path, slow_path;

int check(int x)
{
	if (static_branch(&fast_path))
		return helper(x);
	if (static_branch(&slow_path))
		return 7;
	return other_helper(x);
}

int other(int x)
{
	if (static_branch(&slow_path))
		return helper(x) + 1;
	return x;
}
