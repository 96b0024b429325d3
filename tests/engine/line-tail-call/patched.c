#include "kernel_like.h"

extern void __btrfs_handle_fs_error(void *info, const char *function, unsigned line, int error, const char *fmt, ...);



void check(void *info, int x)
{
	int error = helper(x);
	__btrfs_handle_fs_error(info, "check", __LINE__, error, NULL);
}
