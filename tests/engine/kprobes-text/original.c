#include "kernel_like.h"

__kprobes int probe(int x)
{
	return helper(x) + 1;
}

__cpuidle int idle(int x)
{
	return helper(x) + 2;
}
