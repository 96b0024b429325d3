#include "kernel_like.h"




int first(int x)
{
	printk_indexed("first");
	return helper(x);
}
