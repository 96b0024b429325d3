#include "kernel_like.h"

extern int __ext4_iget(void *sb, unsigned long ino, int flags, const char *function, unsigned int line);

int check(void *handle, void *inode, int x)
{
	if (x < 0)
		return __ext4_iget(inode, x, 0, __func__, __LINE__);
	return helper(x);
}
