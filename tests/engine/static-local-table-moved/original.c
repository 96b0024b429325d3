#include "kernel_like.h"

struct ops { int (*open)(int); };
extern int register_ops(const struct ops *ops);

static int one_open(int x)
{
	return helper(x);
}

int setup(int x)
{
	static const struct ops ops = { one_open };
	return register_ops(&ops) + x;
}
