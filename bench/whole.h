/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_WHOLE_H
#define BENCH_WHOLE_H

#include <sys/types.h>

#include "transport.h"

/*
 * What transports have in common that copy whole messages, one at a call: a buffer each way. A transport sets put and
 * get, which move one message, or return -1 with errno; the rest is done here. There is no publishing together: a
 * batch is sent one by one.
 */
struct whole_end {
	struct end end;
	unsigned char *out, *in;
	size_t room; /* bytes of either */
	ssize_t (*put)(struct whole_end *w, const void *data, size_t size);
	ssize_t (*get)(struct whole_end *w, void *data, size_t size);
	int fd_out, fd_in; /* theirs */
	void *other;
};

/* For attach(): buffers for messages of @room bytes at least. They are released by whole_detach(). */
int whole_init(struct whole_end *w, size_t room);

/* The put and get of sockets. */
ssize_t whole_put_socket(struct whole_end *w, const void *data, size_t size);
ssize_t whole_get_socket(struct whole_end *w, void *data, size_t size);

/* These serve as the functions of a struct transport. */
void whole_detach(struct end *end);
int whole_begin(struct end *end, size_t len, void **buf);
int whole_send(struct end *end, size_t len, unsigned int flags);
int whole_receive(struct end *end, const void **buf, size_t *len);
int whole_done(struct end *end);

#endif
