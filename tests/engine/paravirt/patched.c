#include "kernel_like.h"

int first(int x)
{
	PARAVIRT_CALL(3);
	return helper(x);
}

int second(int x)
{
	PARAVIRT_CALL(5);
	return helper(x);
}
