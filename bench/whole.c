// SPDX-License-Identifier: Apache-2.0
/* Whole messages through the kernel, or through a library: buffers, and the count of calls. */
#include "whole.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "copying.h"

int whole_init(struct whole_end *w, size_t room)
{
	w->room = room > w->end.plan->size ? room : w->end.plan->size;
	w->out = copying_alloc(w->room);
	w->in = copying_alloc(w->room);
	return w->out && w->in ? 0 : -ENOMEM;
}

void whole_detach(struct end *end)
{
	struct whole_end *w = (struct whole_end *)end;

	free(w->out);
	free(w->in);
}

ssize_t whole_put_socket(struct whole_end *w, const void *data, size_t size)
{
	return send(w->fd_out, data, size, MSG_NOSIGNAL);
}

ssize_t whole_get_socket(struct whole_end *w, void *data, size_t size)
{
	return recv(w->fd_in, data, size, 0);
}

int whole_begin(struct end *end, size_t len, void **buf)
{
	struct whole_end *w = (struct whole_end *)end;

	*buf = w->out;
	return len > w->room ? -EMSGSIZE : 0;
}

int whole_send(struct end *end, size_t len, unsigned int flags)
{
	struct whole_end *w = (struct whole_end *)end;
	ssize_t n;

	(void)flags;
	do {
		w->end.syscalls++;
		n = w->put(w, w->out, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int whole_receive(struct end *end, const void **buf, size_t *len)
{
	struct whole_end *w = (struct whole_end *)end;
	ssize_t n;

	do {
		w->end.syscalls++;
		n = w->get(w, w->in, w->room);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -EPIPE;
	*buf = w->in;
	*len = n;
	return 0;
}

int whole_done(struct end *end)
{
	(void)end;
	return 0;
}
