#include "kernel_like.h"

int dispatch(int x)
{
	switch (x) {
	case 1: return helper(1);
	case 0: return helper(2) + 7;
	case 2: return other_helper(9);
	case 3: return helper(4) * 3;
	case 4: return other_helper(8) - 1;
	case 5: return helper(12) ^ 5;
	case 6: return other_helper(1) | 2;
	}
	return 0;
}

int other(int x)
{
	return helper(x);
}
