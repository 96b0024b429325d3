// SPDX-License-Identifier: GPL-2.0-only
/*
 * init - the guest's first process: mounts, modules, loopback, then the agent for ever
 *
 * A program and not a shell script, since each program that is started costs 10 to 20 ms under
 * emulation: this takes 0.4 s from the kernel to the agent where a script took 0.7 s, and nearly
 * all that is left is the kernel's own time for the modules.
 *
 * What goes wrong is told on the console and does not stop it: a guest that answers can be asked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGENT		"/lph/agent"
#define MODULES		"/etc/lpharness/modules"
#define HOSTNAME	"lpharness"
#define RESPAWN_US	200000

static const struct {
	const char *type;
	const char *where;
	const char *data;
} mounts[] = {
	{"devtmpfs", "/dev", "mode=0755"},
	{"proc", "/proc", NULL},
	{"sysfs", "/sys", NULL},
	{"devpts", "/dev/pts", "gid=5,mode=620"},
	{"tmpfs", "/dev/shm", "mode=1777"},
	{"tmpfs", "/tmp", "mode=1777"},
	{"tmpfs", "/run", "mode=0755"},
	{"tracefs", "/sys/kernel/tracing", NULL},
	{"debugfs", "/sys/kernel/debug", NULL},
};

static void complain(const char *what, const char *name)
{
	fprintf(stderr, "init: cannot %s %s: %s\n", what, name, strerror(errno));
}

static void mount_all(void)
{
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		/* Those in /dev can only be made once it is mounted, those in /sys need not be. */
		mkdir(mounts[i].where, 0755);
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, mounts[i].data))
			complain("mount", mounts[i].where);
	}
}

/* What shells and scripts take for granted: <(…), > /dev/stdout. devtmpfs has none of them. */
static void link_streams(void)
{
	static const char *const links[][2] = {
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
	};
	size_t i;

	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i][0], links[i][1]))
			complain("make", links[i][1]);
}

static void bring_loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		complain("bring up", "lo");
	if (fd >= 0)
		close(fd);
}

/* What is there already, or has nothing to do on this machine, is no fault. */
static bool load_file(int fd)
{
	return !syscall(SYS_finit_module, fd, "", 0) || errno == EEXIST || errno == ENODEV;
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || !load_file(fd))
		complain("load", path);
	if (fd >= 0)
		close(fd);
}

/* In the order of their dependencies, as computed when the image was made. */
static void load_modules(void)
{
	char path[512];
	FILE *list = fopen(MODULES, "re");

	if (!list) {
		complain("open", MODULES);
		return;
	}
	while (fgets(path, sizeof(path), list)) {
		path[strcspn(path, "\n")] = '\0';
		load_module(path);
	}
	fclose(list);
}

static pid_t start_agent(void)
{
	pid_t pid = fork();
	int null;

	if (pid)
		return pid;
	setsid();
	null = open("/dev/null", O_RDONLY);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	execl(AGENT, AGENT, (char *)NULL);
	complain("run", AGENT);
	_exit(127);
}

/* Whatever loses its parent becomes our child, and is reaped here. */
static void wait_for(pid_t agent)
{
	int status = 0;
	pid_t pid;

	do {
		pid = wait(&status);
	} while (pid != agent && (pid > 0 || errno == EINTR));
	fprintf(stderr, "init: the agent ended with wait status %#x, starting it again\n",
		(unsigned int)status);
	usleep(RESPAWN_US);
}

/* The signals by which busybox's halt, poweroff and reboot ask for it. */
static void on_signal(int signal)
{
	sync();
	reboot(signal == SIGTERM ? RB_AUTOBOOT :
	       signal == SIGUSR2 ? RB_POWER_OFF : RB_HALT_SYSTEM);
}

int main(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	mount_all();
	link_streams();
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (sethostname(HOSTNAME, strlen(HOSTNAME)))
		complain("set the name", HOSTNAME);
	bring_loopback_up();
	load_modules();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	for (;;)
		wait_for(start_agent());
}
