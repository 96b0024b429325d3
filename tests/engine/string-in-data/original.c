#include "kernel_like.h"

const char *messages[] = { "one", "two" };

const char *message(int x)
{
	return messages[x & 1];
}
