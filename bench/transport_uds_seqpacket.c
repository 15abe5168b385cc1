// SPDX-License-Identifier: Apache-2.0
/* A Unix seqpacket socket pair: message boundaries kept by the kernel, blocking send(2) and recv(2). */
#include <errno.h>
#include <sys/socket.h>

#include "whole.h"

static int prepare_seqpacket(struct wiring *wiring, const struct plan *plan)
{
	(void)plan;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wiring->fd) ? -errno : 0;
}

static int attach_seqpacket(struct end *end)
{
	struct whole_end *w = (struct whole_end *)end;

	w->fd_out = w->fd_in = end->wiring->fd[end->side];
	w->put = whole_put_socket;
	w->get = whole_get_socket;
	return whole_init(w, 0);
}

const struct transport transport_uds_seqpacket = {
	.name = "uds-seqpacket",
	.summary = "Unix seqpacket socket, blocking, a message a call",
	.flags = TRANSPORT_SYSCALLS,
	.size_most = 128 << 10, /* what a send buffer of the system's size takes */
	.end_size = sizeof(struct whole_end),
	.prepare = prepare_seqpacket,
	.attach = attach_seqpacket,
	.detach = whole_detach,
	.begin = whole_begin,
	.send = whole_send,
	.receive = whole_receive,
	.done = whole_done,
};
