#include "kernel_like.h"

struct ops { int (*open)(int); int (*close)(int); };

static int thing_open(int x)
{
	return helper(x) + 1;
}

void thing_fill(const struct ops **place)
{
	*place = (const struct ops *)thing_open;
}
