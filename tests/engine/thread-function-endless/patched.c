#include "kernel_like.h"

extern void *kthread_create_on_node(int (*main)(void *), void *data, int node, const char *name, ...);
extern int kthread_should_stop(void);

static int thread_main(void *data)
{
	for (;;)
		helper(2);
}

int first(int x)
{
	return !kthread_create_on_node(thread_main, 0, -1, "thread%d", x);
}
