#include "kernel_like.h"

double ratio(double x)
{
	return x * 1.5;
}

double shift(double x)
{
	return x + 3.75;
}
