#include "kernel_like.h"

struct inner {
	int a;
	char b;
};
struct state {
	struct inner inner;
	long count;
	int level : 3, depth : 5;
	union {
		int small;
		long large;
	};
	struct state *next;
};

int first(struct state *state)
{
	return helper(state->count) + state->inner.a;
}

struct fresh {
	int a[4];
};

int second(struct state *state)
{
	struct fresh fresh = { 1, 2, 3, 4 };
	consume(&fresh);
	return helper(state->level) + state->small;
}
