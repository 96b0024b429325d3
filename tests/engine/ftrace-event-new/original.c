#include "kernel_like.h"

struct trace_event {
	const char *name;
};
static struct trace_event event_one = { "one" };
static struct trace_event *__event_one __used __section("_ftrace_events") = &event_one;

int first(int x)
{
	return helper(x);
}
