// SPDX-License-Identifier: Apache-2.0
/* A Unix datagram socket pair: message boundaries kept by the kernel, blocking send(2) and recv(2). */
#include <errno.h>
#include <sys/socket.h>

#include "whole.h"

static int prepare_dgram(struct wiring *wiring, const struct plan *plan)
{
	(void)plan;
	return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, wiring->fd) ? -errno : 0;
}

static int attach_dgram(struct end *end)
{
	struct whole_end *w = (struct whole_end *)end;

	w->fd_out = w->fd_in = end->wiring->fd[end->side];
	w->put = whole_put_socket;
	w->get = whole_get_socket;
	return whole_init(w, 0);
}

const struct transport transport_uds_dgram = {
	.name = "uds-dgram",
	.summary = "Unix datagram socket, blocking, a message a call",
	.flags = TRANSPORT_SYSCALLS,
	.size_most = 128 << 10, /* what a send buffer of the system's size takes */
	.end_size = sizeof(struct whole_end),
	.prepare = prepare_dgram,
	.attach = attach_dgram,
	.detach = whole_detach,
	.begin = whole_begin,
	.send = whole_send,
	.receive = whole_receive,
	.done = whole_done,
};
