#include "kernel_like.h"

extern int __ext4_mark_inode_dirty(void *handle, void *inode, const char *func, unsigned int line);




int check(void *handle, void *inode, int x)
{
	if (x < 0)
		return __ext4_mark_inode_dirty(handle, inode, __func__, __LINE__);
	return helper(x);
}
