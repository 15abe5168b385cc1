// SPDX-License-Identifier: Apache-2.0
/* A Unix stream socket pair, plain blocking read(2) and write(2), buffer sizes as the system sets them. */
#include <errno.h>
#include <sys/socket.h>

#include "copying.h"

static int prepare_uds(struct wiring *wiring, const struct plan *plan)
{
	(void)plan;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wiring->fd) ? -errno : 0;
}

static int attach_uds(struct end *end)
{
	int fd = end->wiring->fd[end->side];

	return copying_init((struct copying_end *)end, fd, fd);
}

const struct transport transport_uds = {
	.name = "uds",
	.summary = "Unix stream socket, blocking read and write",
	.flags = TRANSPORT_SYSCALLS,
	.end_size = sizeof(struct copying_end),
	.prepare = prepare_uds,
	.attach = attach_uds,
	.detach = copying_detach,
	.begin = copying_begin,
	.send = copying_send,
	.receive = copying_receive,
	.done = copying_done,
};
