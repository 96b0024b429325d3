#include "kernel_like.h"

int first(void)
{
	return _printk("first message\n") + _printk("message\n");
}

int second(void)
{
	return _printk("a message\n");
}
