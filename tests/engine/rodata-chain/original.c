#include "kernel_like.h"

static const int weights[] = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5 };
static const struct { const int *values; const char *name; } config = { weights, "config" };

const void *get(int x)
{
	consume(&config);
	return config.values;
}

int other(int x)
{
	return helper(x);
}
