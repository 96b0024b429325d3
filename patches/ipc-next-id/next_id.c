/*
 * Asks twice for the last identifier of a message queue that there is. The second
 * queue cannot have it, and must not get one that nobody can reach it by. (Such a queue stays until
 * its namespace goes, which the kernel then warns about.)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

#define LAST "32767" /* IPCMNI - 1 */

static int queue_with_last_id(void)
{
	int fd = open("/proc/sys/kernel/msg_next_id", O_WRONLY);

	if (fd < 0 || write(fd, LAST, strlen(LAST)) < 0) {
		perror("msg_next_id");
		_exit(2);
	}
	close(fd);
	return msgget(IPC_PRIVATE, 0600);
}

int main(void)
{
	struct msqid_ds about;
	int first, second, refused;

	first = queue_with_last_id();
	second = queue_with_last_id();
	refused = errno;
	if (first < 0) {
		perror("first queue");
		return 2;
	}
	printf("first queue: %d\n", first);
	if (second < 0)
		printf("second queue: %s\n", strerror(refused));
	else if (msgctl(second, IPC_STAT, &about) < 0)
		printf("second queue: there, but cannot be reached: %s\n", strerror(errno));
	else
		printf("second queue: %d\n", second);
	return msgctl(first, IPC_RMID, NULL) < 0 ? 2 : 0;
}
