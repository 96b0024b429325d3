#include "kernel_like.h"

int __init setup_thing(char *text)
{
	return helper(1);
}
__setup("thingy=", setup_thing);
