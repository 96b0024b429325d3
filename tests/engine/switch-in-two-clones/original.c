#include "kernel_like.h"

static noinline int weight(unsigned kind, int scale)
{
	switch (kind) {
	case 0: return helper(11) * scale;
	case 1: return helper(7) * scale;
	case 2: return helper(1300) * scale;
	case 3: return helper(5) + scale;
	case 4: return helper(17) * scale;
	case 5: return other_helper(3) - scale;
	}
	return 0;
}

int first(unsigned kind)
{
	return weight(kind, 3) + weight(kind + 1, 3);
}

int other(int x)
{
	return helper(x);
}
