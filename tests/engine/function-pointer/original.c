#include "kernel_like.h"

extern void call_later(void *object, int (*run)(int));

static int worker(int x)
{
	return helper(x) + 1;
}

int first(void *object)
{
	call_later(object, worker);
	return worker(helper(5)) + 2;
}
