#include "kernel_like.h"

__section(".softirqentry.text") int do_softirq(int x)
{
	return helper(x) + 1;
}
