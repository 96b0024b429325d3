// SPDX-License-Identifier: GPL-2.0-only
/* Two processes read /proc/cmdline at once, many times; tells whether all answers were right. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int worst(void)
{
	int i, worst = 0;

	for (i = 0; i < 200 && worst < 2; i++) {
		char text[4096] = "";
		int fd = open("/proc/cmdline", O_RDONLY);

		if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
			return 3;
		close(fd);
		if (!strcmp(text, "mixed\n"))
			worst = 2;
		else if (strcmp(text, "patched\n"))
			worst = 1;
	}
	return worst;
}

int main(void)
{
	static const char *const names[] = { "right", "another", "wrong", "unknown" };
	int child = fork(), mine, status = 0;

	if (!child)
		_exit(worst());
	mine = worst();
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return 1;
	status = WEXITSTATUS(status);
	puts(names[(mine > status ? mine : status) & 3]);
	return 0;
}
