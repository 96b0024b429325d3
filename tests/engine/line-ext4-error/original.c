#include "kernel_like.h"

extern void __ext4_error(void *sb, const char *function, unsigned line, _Bool force, int error, u64 block,
			 const char *fmt, ...);

int check(void *sb, int x)
{
	if (x < 0)
		__ext4_error(sb, __func__, __LINE__, 0, 0, 0, "negative");
	return helper(x);
}
