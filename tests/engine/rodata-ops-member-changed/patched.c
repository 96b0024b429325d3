#include "kernel_like.h"

struct ops { int (*open)(int); };

static int thing_open(int x)
{
	return helper(x) + 2;
}

const struct ops thing_ops = { .open = thing_open };
