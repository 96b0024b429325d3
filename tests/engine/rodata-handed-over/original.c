#include "kernel_like.h"

struct ops { int (*open)(int); int (*close)(int); };
extern int register_ops(const struct ops *ops);

static int thing_open(int x)
{
	return helper(x);
}

static int thing_close(int x)
{
	return other_helper(x);
}

static const struct ops thing_ops = { .open = thing_open };

int __init thing_init(void)
{
	return register_ops(&thing_ops);
}

int keep(int x)
{
	return thing_close(x) + 1;
}
