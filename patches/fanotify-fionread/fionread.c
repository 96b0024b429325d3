/*
 * Watches a folder for new names, with names in the events, and makes a file there. How many bytes
 * does the kernel promise, and how many does it have?
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef FAN_REPORT_DFID_NAME
#define FAN_REPORT_DFID_NAME 0x00000c00
#endif

int main(int count, char **words)
{
	char events[4096];
	int promised = -1, group, file;
	ssize_t had;

	if (count != 2 || chdir(words[1]) < 0) {
		perror("a folder to watch");
		return 2;
	}
	group = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_NONBLOCK, 0);
	if (group < 0 || fanotify_mark(group, FAN_MARK_ADD, FAN_CREATE, AT_FDCWD, ".") < 0) {
		perror("fanotify");
		return 2;
	}
	file = open("new", O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (file < 0 || unlink("new") < 0) {
		perror("new");
		return 2;
	}
	if (ioctl(group, FIONREAD, &promised) < 0) {
		perror("FIONREAD");
		return 2;
	}
	had = read(group, events, sizeof(events));
	printf("promised %d bytes, had %s\n", promised, had == promised ? "as many" : "more");
	return had > 0 ? 0 : 2;
}
