#include "kernel_like.h"

static int slow(int *state, int x)
{
	if (likely(!*state))
		return 0;
	*state += helper(x);
	*state ^= helper(x + 1) * 5;
	*state += helper(x + 2);
	return helper(*state) * 3;
}

int first(int *state, int x)
{
	return slow(state, x) + 1;
}

int second(int *state, int x)
{
	return slow(state, x + 7) + 2;
}

int third(int *state, int x)
{
	return slow(state, x + 9) + 3;
}
