// SPDX-License-Identifier: Apache-2.0
/*
 * Ours: streams of libshmipc's sessions, as an application uses them: side 1 listens, side 0 connects to its address,
 * both block. With the copying functions (write, read, call), and in place (reserve and submit, receive and release).
 *
 * A connection is a session; a conversation on it is a stream.
 */
#include <errno.h>
#include <fcntl.h>
#include <shmipc/listener.h>
#include <stdlib.h>

#include "backend.h"
#include "copying.h"
#include "workload.h"

struct stream_end {
	struct end end;
	struct shmipc_listener *listener; /* side 1's end that attached */
	struct shmipc_session *session;	  /* the end that connected */
	struct shmipc_stream *stream;

	/* In place: */
	struct shmipc_buffer buffer;
	struct shmipc_piece piece;

	/* Copying: a buffer each way, as in copying.h, but each message is written on its own. */
	unsigned char *out, *in;
	size_t capacity;
	size_t arrived, used;
	size_t request; /* bytes in out that go with the call that receive() makes */
};

static void set_session_options(struct shmipc_session_options *options, const struct plan *plan,
				enum shmipc_backend backend)
{
	uint64_t window = (uint64_t)plan->size * (plan->batch + 3);

	backend_set_options(&options->channel, plan, backend);
	if (window > options->window)
		options->window = window;
}

static int prepare_stream(struct wiring *wiring, const struct plan *plan)
{
	(void)plan;
	return wiring_listen(wiring);
}

static int attach_stream(struct end *end, enum shmipc_backend backend)
{
	struct shmipc_listener_options options = SHMIPC_LISTENER_OPTIONS_INIT;
	int fd;

	if (!end->side)
		return 0;
	set_session_options(&options.session, end->plan, backend);
	fd = fcntl(end->wiring->fd[0], F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	return shmipc_listener_create_fd(fd, &options, &((struct stream_end *)end)->listener);
}

static void detach_stream(struct end *end)
{
	struct stream_end *s = (struct stream_end *)end;

	shmipc_listener_close(s->listener);
	free(s->out);
	free(s->in);
}

static int connect_stream(struct end *end, enum shmipc_backend backend)
{
	struct shmipc_session_options options = SHMIPC_SESSION_OPTIONS_INIT;
	struct stream_end *s = (struct stream_end *)end;

	if (end->side)
		return shmipc_listener_accept(((struct stream_end *)end->attached)->listener, &s->session,
					      backend_deadline());
	set_session_options(&options, end->plan, backend);
	return shmipc_session_connect(end->wiring->address, &options, backend_deadline(), &s->session);
}

static void disconnect_stream(struct end *end)
{
	struct stream_end *s = (struct stream_end *)end;

	shmipc_session_close(s->session);
	s->session = NULL;
}

static int open_stream(struct end *end)
{
	struct stream_end *s = (struct stream_end *)end;
	struct shmipc_session *session = ((struct stream_end *)end->connected)->session;

	s->arrived = s->used = s->request = 0;
	if (end->side)
		return shmipc_session_accept(session, &s->stream, SHMIPC_FOREVER);
	return shmipc_stream_open(session, &s->stream);
}

static void close_stream(struct end *end)
{
	struct stream_end *s = (struct stream_end *)end;

	shmipc_stream_close(s->stream);
	s->stream = NULL;
}

/* The buffers of the copying functions stay when a stream is closed: an application would keep them too. */
static int open_copying(struct end *end)
{
	struct stream_end *s = (struct stream_end *)end;

	if (!s->out) {
		s->capacity = end->plan->size * end->plan->batch;
		s->out = copying_alloc(end->plan->size);
		s->in = copying_alloc(s->capacity);
		if (!s->out || !s->in)
			return -ENOMEM;
	}
	return open_stream(end);
}

/* A wake-up may wait until the read that follows, which rings and sleeps in one call. */
static unsigned int stream_flags(unsigned int flags)
{
	return (flags & SEND_MORE ? SHMIPC_MORE : 0) | (flags & SEND_EXPECT ? SHMIPC_LAZY : 0);
}

static int begin_copying(struct end *end, size_t len, void **buf)
{
	(void)len;
	*buf = ((struct stream_end *)end)->out;
	return 0;
}

static int send_copying(struct end *end, size_t len, unsigned int flags)
{
	struct stream_end *s = (struct stream_end *)end;
	ssize_t n;

	if (flags & SEND_EXPECT && end->plan->workload->calls) {
		s->request = len;
		return 0;
	}
	n = shmipc_stream_write(s->stream, s->out, len, stream_flags(flags), SHMIPC_FOREVER);
	return n == (ssize_t)len ? 0 : n < 0 ? n : -EIO;
}

/* More bytes at the end of what has arrived; the first ones after a request are its reply. */
static ssize_t read_more(struct stream_end *s)
{
	size_t room = s->capacity - s->arrived, request = s->request;

	s->request = 0;
	if (request)
		return shmipc_stream_call(s->stream, s->out, request, s->in, s->capacity, SHMIPC_FOREVER);
	return shmipc_stream_read(s->stream, s->in + s->arrived, room, SHMIPC_FOREVER);
}

static int receive_copying(struct end *end, const void **buf, size_t *len)
{
	struct stream_end *s = (struct stream_end *)end;
	size_t size = end->expected;
	ssize_t n;

	if (s->used == s->arrived)
		s->used = s->arrived = 0;
	if (size > s->capacity - s->used)
		copying_move_up(s->in, &s->used, &s->arrived);
	while (s->arrived - s->used < size) {
		n = read_more(s);
		if (n <= 0 && n != -EINTR)
			return n ? n : -EPIPE;
		if (n > 0)
			s->arrived += n;
	}
	*buf = s->in + s->used;
	*len = size;
	return 0;
}

static int done_copying(struct end *end)
{
	((struct stream_end *)end)->used += end->expected;
	return 0;
}

static int begin_place(struct end *end, size_t len, void **buf)
{
	struct stream_end *s = (struct stream_end *)end;
	int rc;

	do
		rc = shmipc_stream_reserve(s->stream, len, &s->buffer, SHMIPC_FOREVER);
	while (rc == -EINTR);
	*buf = s->buffer.data;
	return rc;
}

static int send_place(struct end *end, size_t len, unsigned int flags)
{
	struct stream_end *s = (struct stream_end *)end;

	return shmipc_stream_submit(s->stream, &s->buffer, len, stream_flags(flags), SHMIPC_FOREVER);
}

static int receive_place(struct end *end, const void **buf, size_t *len)
{
	struct stream_end *s = (struct stream_end *)end;
	int rc;

	do
		rc = shmipc_stream_receive(s->stream, &s->piece, SHMIPC_FOREVER);
	while (rc == -EINTR);
	*buf = s->piece.data;
	*len = s->piece.size;
	return rc == 1 ? 0 : rc ? rc : -EPIPE;
}

static int done_place(struct end *end)
{
	struct stream_end *s = (struct stream_end *)end;

	return shmipc_stream_release(s->stream, &s->piece);
}

static void count_stream(struct end *end, struct counts *counts)
{
	struct shmipc_session *session = ((struct stream_end *)end->connected)->session;
	struct shmipc_session_stats stats = { .size = sizeof(stats) };

	stats.channel.size = sizeof(stats.channel);
	if (session && !shmipc_session_stats(session, &stats))
		backend_count(&stats.channel, counts);
}

static int attach_doorbell(struct end *end)
{
	return attach_stream(end, SHMIPC_BACKEND_KMOD);
}

static int connect_doorbell(struct end *end)
{
	return connect_stream(end, SHMIPC_BACKEND_KMOD);
}

static int attach_memfd(struct end *end)
{
	return attach_stream(end, SHMIPC_BACKEND_MEMFD);
}

static int connect_memfd(struct end *end)
{
	return connect_stream(end, SHMIPC_BACKEND_MEMFD);
}

#define STREAM_TRANSPORT                                                                                               \
	.level = "stream", .flags = TRANSPORT_SYNC, .end_size = sizeof(struct stream_end), .prepare = prepare_stream,  \
	.detach = detach_stream, .disconnect = disconnect_stream, .close = close_stream, .count = count_stream

#define STREAM_COPYING                                                                                                 \
	.api = "copy", .open = open_copying, .begin = begin_copying, .send = send_copying, .receive = receive_copying, \
	.done = done_copying

#define STREAM_PLACE                                                                                                   \
	.api = "place", .open = open_stream, .begin = begin_place, .send = send_place, .receive = receive_place,       \
	.done = done_place

#define DOORBELL                                                                                                       \
	.name = "doorbell", .check = backend_check_module, .attach = attach_doorbell, .connect = connect_doorbell

#define MEMFD .name = "memfd", .attach = attach_memfd, .connect = connect_memfd

const struct transport transport_doorbell_stream = {
	.summary = "shmipc on the kernel module, streams: write and read",
	DOORBELL,
	STREAM_TRANSPORT,
	STREAM_COPYING,
};

const struct transport transport_doorbell_stream_place = {
	.summary = "shmipc on the kernel module, streams: reserve and receive",
	DOORBELL,
	STREAM_TRANSPORT,
	STREAM_PLACE,
};

const struct transport transport_memfd_stream = {
	.summary = "shmipc without the module, streams: write and read",
	MEMFD,
	STREAM_TRANSPORT,
	STREAM_COPYING,
};

const struct transport transport_memfd_stream_place = {
	.summary = "shmipc without the module, streams: reserve and receive",
	MEMFD,
	STREAM_TRANSPORT,
	STREAM_PLACE,
};
