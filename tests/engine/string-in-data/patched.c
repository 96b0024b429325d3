#include "kernel_like.h"

const char *messages[] = { "one", "zwei" };

const char *message(int x)
{
	return messages[x & 1];
}
