// SPDX-License-Identifier: GPL-2.0-only
/* "load" makes the guest's own kernel and initramfs ready; "go" starts them in this one's place. */
#include <fcntl.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char words[4096];
	ssize_t length;
	int kernel, initrd, proc;

	if (argc == 2 && !strcmp(argv[1], "go"))
		return (int)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
				    LINUX_REBOOT_CMD_KEXEC, NULL);
	kernel = open("/case/vmlinuz", O_RDONLY);
	initrd = open("/case/initrd", O_RDONLY);
	proc = open("/proc/cmdline", O_RDONLY);
	length = read(proc, words, sizeof(words) - 1);
	if (kernel < 0 || initrd < 0 || length < 1)
		return 1;
	words[length - 1] = 0;
	return syscall(SYS_kexec_file_load, kernel, initrd, (unsigned long)length, words, 0UL) != 0;
}
