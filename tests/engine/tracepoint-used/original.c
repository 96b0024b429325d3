#include "kernel_like.h"

DEFINE_TRACE(thing);

int first(int x)
{
	trace_event(thing, x);
	return helper(x);
}
