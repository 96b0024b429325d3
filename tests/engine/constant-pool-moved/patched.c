#include "kernel_like.h"

double earlier(double x)
{
	return x / 7.5;
}

double ratio(double x)
{
	return x * 1.5;
}
