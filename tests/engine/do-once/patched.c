#include "kernel_like.h"

extern void get_random_bytes(void *buffer, int size);
static int secret[4];

int first(int x)
{
	static _Bool __once ___done;
	if (!___done) {
		___done = 1;
		get_random_bytes(secret, sizeof(secret));
	}
	return helper(x + 1) ^ secret[0];
}
