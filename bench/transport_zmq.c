// SPDX-License-Identifier: Apache-2.0
/* ZeroMQ over its ipc transport: a pair of PAIR sockets, blocking, one context with one I/O thread a side. */
#include <errno.h>
#include <stdio.h>
#include <zmq.h>

#include "whole.h"

static ssize_t put_zmq(struct whole_end *w, const void *data, size_t size)
{
	return zmq_send(w->other, data, size, 0);
}

static ssize_t get_zmq(struct whole_end *w, void *data, size_t size)
{
	return zmq_recv(w->other, data, size, 0);
}

/* The listener is there for its address only, which nobody else has; ours is made of it. */
static int prepare_zmq(struct wiring *wiring, const struct plan *plan)
{
	(void)plan;
	return wiring_listen(wiring);
}

static int attach_zmq(struct end *end)
{
	struct whole_end *w = (struct whole_end *)end;
	char address[sizeof(end->wiring->address) + 16];
	int none = 0;

	snprintf(address, sizeof(address), "ipc://%s-zmq", end->wiring->address);
	w->other = zmq_socket(zmq_ctx_new(), ZMQ_PAIR);
	if (!w->other || zmq_setsockopt(w->other, ZMQ_LINGER, &none, sizeof(none)) ||
	    (end->side ? zmq_bind(w->other, address) : zmq_connect(w->other, address)))
		return -errno;
	w->put = put_zmq;
	w->get = get_zmq;
	return whole_init(w, 0);
}

const struct transport transport_zmq = {
	.name = "zmq",
	.summary = "ZeroMQ, PAIR sockets over ipc, blocking",
	.flags = TRANSPORT_THREADS,
	.end_size = sizeof(struct whole_end),
	.prepare = prepare_zmq,
	.attach = attach_zmq,
	.detach = whole_detach,
	.begin = whole_begin,
	.send = whole_send,
	.receive = whole_receive,
	.done = whole_done,
};
