#include "kernel_like.h"

int twice(int x)
{
	if (x > 5) {
		static int count;
		return helper(x) + count++;
	} else {
		static int count;
		return other_helper(x) - count--;
	}
}
