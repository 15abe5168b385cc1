// SPDX-License-Identifier: Apache-2.0
/*
 * A Unix stream socket, plain blocking read(2) and write(2), buffer sizes as the system sets them. Every conversation
 * is a connection of its own: sockets have no streams.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "copying.h"
#include "uds.h"

int uds_prepare(struct wiring *wiring, const struct plan *plan)
{
	(void)plan;
	return wiring_listen(wiring);
}

static int dial(const char *address)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	size_t length = strlen(address);
	int fd, rc;

	memcpy(name.sun_path + 1, address + 1, length - 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&name, offsetof(struct sockaddr_un, sun_path) + length)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

int uds_open(struct end *end)
{
	int fd = end->side ? accept4(end->wiring->fd[0], NULL, NULL, SOCK_CLOEXEC) : dial(end->wiring->address);

	if (fd < 0)
		return end->side ? -errno : fd;
	end->syscalls += end->side ? 1 : 2;
	return fd;
}

static int open_uds(struct end *end)
{
	int fd = uds_open(end);

	return fd < 0 ? fd : copying_init((struct copying_end *)end, fd, fd);
}

static void close_uds(struct end *end)
{
	end->syscalls++;
	close(((struct copying_end *)end)->fd_in);
}

const struct transport transport_uds = {
	.name = "uds",
	.summary = "Unix stream socket, blocking read and write",
	.flags = TRANSPORT_SYSCALLS,
	.end_size = sizeof(struct copying_end),
	.prepare = uds_prepare,
	.detach = copying_detach,
	.open = open_uds,
	.close = close_uds,
	.begin = copying_begin,
	.send = copying_send,
	.receive = copying_receive,
	.done = copying_done,
};
