// SPDX-License-Identifier: GPL-2.0-only
/* Shows /proc/cmdline as a program called lphd sees it. */
#include <fcntl.h>
#include <unistd.h>

int main(void)
{
	char text[4096];
	int fd = open("/proc/cmdline", O_RDONLY);
	ssize_t got = read(fd, text, sizeof(text));

	return got < 0 || write(1, text, (size_t)got) != got;
}
