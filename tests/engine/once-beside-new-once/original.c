#include "kernel_like.h"

int first(int x)
{
	static _Bool __once __already_done;
	if (!__already_done) {
		__already_done = 1;
		helper(x);
	}
	return helper(x + 1);
}

int second(int x)
{
	return helper(x + 2);
}
