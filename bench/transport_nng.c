// SPDX-License-Identifier: Apache-2.0
/* nng over its ipc transport: a pair of PAIR sockets, blocking. */
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <stdio.h>

#include "whole.h"

struct nng_end {
	struct whole_end whole;
	nng_socket socket;
};

static int to_errno(int rc)
{
	errno = rc & NNG_ESYSERR ? rc & ~NNG_ESYSERR : EIO;
	return -1;
}

static ssize_t put_nng(struct whole_end *w, const void *data, size_t size)
{
	int rc = nng_send(((struct nng_end *)w)->socket, (void *)data, size, 0);

	return rc ? to_errno(rc) : (ssize_t)size;
}

static ssize_t get_nng(struct whole_end *w, void *data, size_t size)
{
	int rc = nng_recv(((struct nng_end *)w)->socket, data, &size, 0);

	return rc ? to_errno(rc) : (ssize_t)size;
}

/* The listener is there for its address only, which nobody else has; ours is made of it. */
static int prepare_nng(struct wiring *wiring, const struct plan *plan)
{
	(void)plan;
	return wiring_listen(wiring);
}

/* Side 1 listens, side 0 dials until it does. */
static int attach_nng(struct end *end)
{
	struct nng_end *n = (struct nng_end *)end;
	char address[sizeof(end->wiring->address) + 24];
	int rc;

	snprintf(address, sizeof(address), "abstract://shmipc-bench-%s", end->wiring->address + 1);
	rc = nng_pair0_open(&n->socket);
	if (!rc)
		rc = nng_socket_set_size(n->socket, NNG_OPT_RECVMAXSZ, 0);
	if (!rc)
		rc = end->side ? nng_listen(n->socket, address, NULL, 0)
			       : nng_dial(n->socket, address, NULL, NNG_FLAG_NONBLOCK);
	if (rc)
		return to_errno(rc), -errno;
	n->whole.put = put_nng;
	n->whole.get = get_nng;
	return whole_init(&n->whole, 0);
}

const struct transport transport_nng = {
	.name = "nng",
	.summary = "nng, PAIR sockets over ipc, blocking",
	.flags = TRANSPORT_THREADS,
	.end_size = sizeof(struct nng_end),
	.prepare = prepare_nng,
	.attach = attach_nng,
	.detach = whole_detach,
	.begin = whole_begin,
	.send = whole_send,
	.receive = whole_receive,
	.done = whole_done,
};
