// SPDX-License-Identifier: Apache-2.0
/* TCP over the loopback device, without Nagle's delay, plain blocking read(2) and write(2). */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "copying.h"

static int prepare_tcp(struct wiring *wiring, const struct plan *plan)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)plan;
	wiring->fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (wiring->fd[0] < 0 || bind(wiring->fd[0], (struct sockaddr *)&name, sizeof(name)) ||
	    listen(wiring->fd[0], SOMAXCONN))
		return -errno;
	return 0;
}

static int dial(int listener)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in name;
	socklen_t size = sizeof(name);

	if (fd >= 0 &&
	    (getsockname(listener, (struct sockaddr *)&name, &size) || connect(fd, (struct sockaddr *)&name, size))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int open_tcp(struct end *end)
{
	int listener = end->wiring->fd[0], on = 1;
	int fd = end->side ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : dial(listener);

	end->syscalls += end->side ? 2 : 4;
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		return -errno;
	return copying_init((struct copying_end *)end, fd, fd);
}

static void close_tcp(struct end *end)
{
	end->syscalls++;
	close(((struct copying_end *)end)->fd_in);
}

const struct transport transport_tcp = {
	.name = "tcp",
	.summary = "TCP over loopback, TCP_NODELAY, blocking read and write",
	.flags = TRANSPORT_SYSCALLS,
	.end_size = sizeof(struct copying_end),
	.prepare = prepare_tcp,
	.detach = copying_detach,
	.open = open_tcp,
	.close = close_tcp,
	.begin = copying_begin,
	.send = copying_send,
	.receive = copying_receive,
	.done = copying_done,
};
