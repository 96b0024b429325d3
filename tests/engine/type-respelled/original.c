#include "kernel_like.h"

struct inner {
	int a;
	char b;
};
struct state {
	struct inner inner;
	unsigned long count;
	struct inner *page;
	unsigned index;
	int level : 3, depth : 5;
	union {
		int small;
		long large;
	};
	struct state *next;
};

int first(struct state *state)
{
	return helper(state->count) + state->inner.a + (int)state->index;
}

int second(struct state *state)
{
	return helper(state->level) + state->small;
}
