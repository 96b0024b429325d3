#include "kernel_like.h"

static int limit = 10;
int table[4] = { 1, 2, 3, 4 };
static int scratch[8];

static noinline int fresh(int x)
{
	return helper(x) + 99;
}
static int counter = 3;
static struct { int (*run)(int); int *count; const char *name; } driver = { fresh, &counter, "driver" };

int first(int x)
{
	scratch[x & 7]++;
	limit += x;
	return helper(limit) + table[x & 3];
}

int second(int x)
{
	return helper(scratch[x & 7]) + driver.run(limit) + *driver.count + (long)driver.name;
}
