#include "kernel_like.h"

struct pair { int a, b, c[20]; };
static noinline int sum(struct pair *p)
{
	int a = p->a, b = p->b;
	return helper(a) + b;
}

int first(struct pair *p)
{
	return sum(p) + 1;
}

int second(struct pair *p)
{
	return sum(p + 1) + 2;
}
