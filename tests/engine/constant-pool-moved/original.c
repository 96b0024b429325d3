#include "kernel_like.h"

double ratio(double x)
{
	return x * 1.5;
}
