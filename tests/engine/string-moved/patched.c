#include "kernel_like.h"

int zeroth(void)
{
	return _printk("an earlier message\n");
}

int first(void)
{
	return _printk("the first message\n");
}

int second(void)
{
	return _printk("the second message\n");
}
