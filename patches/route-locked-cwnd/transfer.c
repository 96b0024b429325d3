/* Sends some data from an address of this machine to itself, by TCP. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define AMOUNT 300000

static char data[AMOUNT];

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(2);
}

static _Noreturn void send_all(const struct sockaddr_in *address)
{
	int sender = socket(AF_INET, SOCK_STREAM, 0);
	size_t sent = 0;
	ssize_t now;

	if (connect(sender, (const struct sockaddr *)address, sizeof(*address)) < 0)
		die("connect");
	while (sent < sizeof(data)) {
		now = write(sender, data + sent, sizeof(data) - sent);
		if (now < 0)
			die("write");
		sent += now;
	}
	exit(0);
}

int main(int count, char **words)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), receiver;
	size_t received = 0;
	ssize_t now;

	if (count != 2 || !inet_aton(words[1], &address.sin_addr))
		die("an address");
	if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		die("listen");
	switch (fork()) {
	case -1:
		die("fork");
	case 0:
		send_all(&address);
	}
	receiver = accept(listener, NULL, NULL);
	if (receiver < 0)
		die("accept");
	while ((now = read(receiver, data, sizeof(data))) > 0)
		received += now;
	wait(NULL);
	printf("%zu bytes\n", received);
	return received == AMOUNT ? 0 : 2;
}
