// SPDX-License-Identifier: Apache-2.0
/* Messages over a byte stream of the kernel's: buffers, short reads and writes, and the count of system calls. */
#include "copying.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *copying_alloc(size_t size)
{
	size_t unit = size < 4096 ? 64 : 4096;

	return aligned_alloc(unit, (size + unit - 1) & ~(unit - 1));
}

int copying_init(struct copying_end *c, int fd_out, int fd_in)
{
	c->fd_out = fd_out;
	c->fd_in = fd_in;
	c->filled = c->arrived = c->used = 0;
	if (c->out)
		return 0;
	c->capacity = c->end.plan->size * c->end.plan->batch;
	c->out = copying_alloc(c->capacity);
	c->in = copying_alloc(c->capacity);
	return c->out && c->in ? 0 : -ENOMEM;
}

void copying_detach(struct end *end)
{
	struct copying_end *c = (struct copying_end *)end;

	free(c->out);
	free(c->in);
}

int copying_begin(struct end *end, size_t len, void **buf)
{
	struct copying_end *c = (struct copying_end *)end;

	if (len > c->capacity - c->filled)
		return -EMSGSIZE;
	*buf = c->out + c->filled;
	return 0;
}

static ssize_t put(struct copying_end *c, const void *data, size_t size)
{
	return c->put ? c->put(c, data, size) : write(c->fd_out, data, size);
}

static ssize_t get(struct copying_end *c, void *data, size_t size)
{
	return c->get ? c->get(c, data, size) : read(c->fd_in, data, size);
}

int copying_send(struct end *end, size_t len, unsigned int flags)
{
	struct copying_end *c = (struct copying_end *)end;
	size_t written = 0;
	ssize_t n;
	int rc;

	c->filled += len;
	if (flags & SEND_MORE)
		return 0;
	while (written < c->filled) {
		c->end.syscalls++;
		n = put(c, c->out + written, c->filled - written);
		if (n < 0) {
			rc = errno == EAGAIN && c->wait_out ? c->wait_out(c) : errno == EINTR ? 0 : -errno;
			if (rc)
				return rc;
			continue;
		}
		written += n;
	}
	c->filled = 0;
	return 0;
}

void copying_move_up(unsigned char *in, size_t *used, size_t *arrived)
{
	*arrived -= *used;
	memmove(in, in + *used, *arrived);
	*used = 0;
}

/*
 * A message never lies at the end and the beginning of the buffer, which is filled from the front until everything in it
 * has been handed out. It holds a whole number of messages of one size; where sizes differ, one that began too near the
 * end is moved to the front.
 */
int copying_receive(struct end *end, const void **buf, size_t *len)
{
	struct copying_end *c = (struct copying_end *)end;
	size_t size = end->expected;
	ssize_t n;
	int rc;

	if (c->used == c->arrived)
		c->used = c->arrived = 0;
	if (size > c->capacity - c->used)
		copying_move_up(c->in, &c->used, &c->arrived);
	while (c->arrived - c->used < size) {
		rc = c->wait_in ? c->wait_in(c) : 0;
		if (rc)
			return rc;
		c->end.syscalls++;
		n = get(c, c->in + c->arrived, c->capacity - c->arrived);
		if (!n)
			return -EPIPE;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0)
			c->arrived += n;
	}
	*buf = c->in + c->used;
	*len = size;
	return 0;
}

int copying_done(struct end *end)
{
	struct copying_end *c = (struct copying_end *)end;

	c->used += end->expected;
	return 0;
}
