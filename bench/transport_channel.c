// SPDX-License-Identifier: Apache-2.0
/*
 * Ours: a channel of libshmipc, on the kernel module (doorbell) or without it (memfd). Messages are written and
 * read in place. An answer's wake-up is left to the wait that follows it, so that the module can ring and sleep
 * in one call.
 */
#include <errno.h>
#include <sys/socket.h>

#include "backend.h"

/* How many times it waits without a look first, once a look found nothing. */
#define PROBE_EVERY 16

struct channel_end {
	struct end end;
	struct shmipc_channel *channel;
	struct shmipc_buffer buffer;
	struct shmipc_message message;
	unsigned int misses; /* receives since a look found something at once */
};

static int prepare_channel(struct wiring *wiring, const struct plan *plan)
{
	(void)plan;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wiring->fd) ? -errno : 0;
}

static int attach_channel(struct end *end, enum shmipc_backend backend)
{
	struct shmipc_channel_options options = SHMIPC_CHANNEL_OPTIONS_INIT;
	struct channel_end *c = (struct channel_end *)end;
	int64_t deadline = backend_deadline();
	int rc;

	backend_set_options(&options, end->plan, backend);
	if (end->side)
		return shmipc_channel_receive(end->wiring->fd[1], &options, deadline, &c->channel);
	rc = shmipc_channel_create(&options, &c->channel);
	return rc ? rc : shmipc_channel_send(c->channel, end->wiring->fd[0], deadline);
}

static int attach_doorbell(struct end *end)
{
	return attach_channel(end, SHMIPC_BACKEND_KMOD);
}

static int attach_memfd(struct end *end)
{
	return attach_channel(end, SHMIPC_BACKEND_MEMFD);
}

static void detach_channel(struct end *end)
{
	shmipc_channel_destroy(((struct channel_end *)end)->channel);
}

static int begin_channel(struct end *end, size_t len, void **buf)
{
	struct channel_end *c = (struct channel_end *)end;
	int rc;

	while ((rc = shmipc_channel_reserve(c->channel, len, 0, &c->buffer)) == -EAGAIN) {
		/* What was sent with SHMIPC_MORE is the peer's to consume before there is room. */
		rc = shmipc_channel_ring(c->channel);
		if (!rc)
			rc = shmipc_channel_wait(c->channel, SHMIPC_WRITABLE, SHMIPC_FOREVER);
		if (rc < 0 && rc != -EINTR)
			return rc;
	}
	*buf = c->buffer.data;
	return rc;
}

static int send_channel(struct end *end, size_t len, unsigned int flags)
{
	struct channel_end *c = (struct channel_end *)end;
	unsigned int how = (flags & SEND_MORE ? SHMIPC_MORE : 0) | (flags & SEND_EXPECT ? SHMIPC_LAZY : 0);

	return shmipc_channel_submit(c->channel, &c->buffer, len, how);
}

static int receive_channel(struct end *end, const void **buf, size_t *len)
{
	struct channel_end *c = (struct channel_end *)end;
	int rc;

	/* As a program would that knows its traffic: in a stream look first, in an exchange wait first. */
	rc = c->misses % PROBE_EVERY ? -EAGAIN : shmipc_channel_peek(c->channel, &c->message);
	c->misses = rc == -EAGAIN ? c->misses + 1 : 0;
	while (rc == -EAGAIN) {
		rc = shmipc_channel_wait(c->channel, SHMIPC_READABLE, SHMIPC_FOREVER);
		if (rc < 0 && rc != -EINTR)
			return rc;
		rc = shmipc_channel_peek(c->channel, &c->message);
	}
	*buf = c->message.data;
	*len = c->message.size;
	return rc;
}

static int done_channel(struct end *end)
{
	struct channel_end *c = (struct channel_end *)end;

	return shmipc_channel_release(c->channel, &c->message);
}

static void count_channel(struct end *end, struct counts *counts)
{
	struct shmipc_channel_stats stats = { .size = sizeof(stats) };

	if (!shmipc_channel_stats(((struct channel_end *)end)->channel, &stats))
		backend_count(&stats, counts);
}

#define CHANNEL_TRANSPORT                                                                                          \
	.level = "channel", .api = "place", .flags = TRANSPORT_SYNC, .end_size = sizeof(struct channel_end),                       \
	.prepare = prepare_channel, .detach = detach_channel, .begin = begin_channel, .send = send_channel,        \
	.receive = receive_channel, .done = done_channel, .count = count_channel

const struct transport transport_doorbell = {
	.name = "doorbell",
	.summary = "shmipc on the kernel module",
	.check = backend_check_module,
	.attach = attach_doorbell,
	CHANNEL_TRANSPORT,
};

const struct transport transport_memfd = {
	.name = "memfd",
	.summary = "shmipc without the module: memfd and futex",
	.attach = attach_memfd,
	CHANNEL_TRANSPORT,
};
