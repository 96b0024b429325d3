#include "kernel_like.h"

DEFINE_TRACE(thing);
DEFINE_TRACE(fresh);

int first(int x)
{
	trace_event(thing, x);
	trace_event(fresh, x);
	return helper(x);
}
