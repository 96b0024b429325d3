#include "kernel_like.h"

int first(void)
{
	return _printk("the first message\n");
}

int second(void)
{
	return _printk("the second message\n");
}
