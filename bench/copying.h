/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_COPYING_H
#define BENCH_COPYING_H

#include <sys/types.h>

#include "transport.h"

/*
 * What transports that copy through the kernel with read(2) and write(2) have in common: a private buffer each
 * way, as long as a batch. The messages of a batch leave with one write and arrive with as few reads as the
 * kernel allows. The receiver knows how long each one is, so no header is sent.
 *
 * A transport sets fd_out, fd_in and, for descriptors that do not block, wait_in and wait_out; the rest is done here.
 */
struct copying_end {
	struct end end;
	int fd_out, fd_in;
	unsigned char *out, *in;
	size_t capacity;      /* bytes of a batch, of either buffer */
	size_t filled;        /* bytes in out that wait to be written */
	size_t arrived, used; /* bytes in in; of those, handed out */

	/* NULL, or: sleep until reading or writing can go on; 0 or -errno. */
	int (*wait_in)(struct copying_end *c);
	int (*wait_out)(struct copying_end *c);

	/* NULL, or what stands in for write(2) and read(2): one call, counted as one. */
	ssize_t (*put)(struct copying_end *c, const void *data, size_t size);
	ssize_t (*get)(struct copying_end *c, void *data, size_t size);
};

/* A buffer for @size bytes: at the beginning of a page, or of a cache line where it is smaller; or NULL. */
void *copying_alloc(size_t size);

/* Moves what has arrived at @in and was not handed out to the front, for a message that has no room behind it. */
void copying_move_up(unsigned char *in, size_t *used, size_t *arrived);

/* For attach() or open(): the buffers, if they are not there. They are released by copying_detach(). */
int copying_init(struct copying_end *c, int fd_out, int fd_in);

/* These serve as the functions of a struct transport. */
void copying_detach(struct end *end);
int copying_begin(struct end *end, size_t len, void **buf);
int copying_send(struct end *end, size_t len, unsigned int flags);
int copying_receive(struct end *end, const void **buf, size_t *len);
int copying_done(struct end *end);

#endif
