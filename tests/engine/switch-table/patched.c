#include "kernel_like.h"

int weight(unsigned kind)
{
	switch (kind) {
	case 0: return 11;
	case 1: return 7;
	case 2: return 1301;
	case 3: return 5;
	case 4: return 17;
	}
	return 0;
}

int other(int x)
{
	return helper(x);
}
