#include "kernel_like.h"

struct entry { int a; };

int first(int x)
{
	return helper(x) + 1;
}

static struct entry fresh __used __section("__thing_table") = { 4 };

int second(int x)
{
	consume(&fresh);
	return helper(x) * 3;
}
