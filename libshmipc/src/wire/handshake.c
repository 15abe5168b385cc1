// SPDX-License-Identifier: Apache-2.0
/*
 * handshake.c - the state machine of both sides: read a message, check it, answer it
 *
 * A peer can make it fail, at any byte, and nothing else: every message has a largest size and comes once, so
 * that what is read is bounded; descriptors are taken with a message's first byte alone, where it may have some.
 */
#include "handshake.h"

#include <poll.h>
#include <sys/socket.h>

#include "../fdpass.h"
#include "../observe/log.h"

/* Whether it is a connected Unix stream socket. */
static int check_socket(int socket)
{
	socklen_t size = sizeof(int), name_size = sizeof(struct sockaddr_storage);
	struct sockaddr_storage name;
	int type = 0, domain = 0;

	if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_STREAM ||
	    getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) || domain != AF_UNIX)
		return -EINVAL;
	return getpeername(socket, (struct sockaddr *)&name, &name_size) ? -EINVAL : 0;
}

/* The backends that this side can use. */
static int find_backends(const struct shmipc_channel_options *options, bool server, uint32_t *backends)
{
	enum shmipc_backend backend;
	int r = options_backend(options, &backend);

	if (r)
		return r;
	switch (backend) {
	case SHMIPC_BACKEND_KMOD:
		*backends = WIRE_KMOD;
		break;
	case SHMIPC_BACKEND_MEMFD:
		*backends = WIRE_MEMFD;
		break;
	default:
		*backends = WIRE_MEMFD | (server || region_kmod_usable() ? WIRE_KMOD : 0);
		break;
	}
	return 0;
}

static void send_exchange(struct handshake *h, uint8_t version)
{
	const struct wire_header header = { WIRE_HEADER, version, WIRE_EXCHANGE };

	header_encode(h->out, &header);
	h->to_send = WIRE_HEADER;
}

static void send_hello(struct handshake *h, uint32_t choice)
{
	const struct wire_hello hello = {
		.revision = WIRE_REVISION,
		.backends = h->backends,
		.choice = choice,
		.streams_max = h->options->streams_max,
		.window = h->options->window,
		.private_max = h->options->private_max,
		.memory_max = h->options->channel.memory_max,
	};

	h->to_send = hello_encode(h->out, h->server ? WIRE_WELCOME : WIRE_HELLO, &hello);
}

int handshake_init(struct handshake *h, int socket, bool server, const struct shmipc_session_options *options,
		   int64_t deadline)
{
	int r = check_socket(socket);

	if (r)
		return r;
	*h = (struct handshake){
		.socket = socket,
		.server = server,
		.deadline = deadline,
		.options = options,
		.size = WIRE_HEADER,
	};
	r = find_backends(&options->channel, server, &h->backends);
	if (!r)
		r = fdpass_ask_credentials(socket, &h->credentials);
	if (!r && !server)
		send_exchange(h, WIRE_VERSION_OLDER);
	return r;
}

short handshake_events(const struct handshake *h)
{
	return h->sent < h->to_send ? POLLOUT : POLLIN;
}

static const char *name_type(uint8_t type)
{
	switch (type) {
	case WIRE_EXCHANGE:
		return "exchange";
	case WIRE_HELLO:
		return "hello";
	case WIRE_WELCOME:
		return "welcome";
	case WIRE_OFFER:
		return "offer";
	case WIRE_ANSWER:
		return "answer";
	case WIRE_ERROR:
		return "error";
	default:
		return "unknown";
	}
}

void handshake_trace(const struct handshake_note *notes, uint32_t count)
{
	for (; count--; notes++)
		trace_socket(notes->received ? TRACE_RECEIVED : TRACE_SENT, notes->socket,
			     name_type(notes->header.type), "version=%u length=%u fds=%u", notes->header.version,
			     notes->header.length, notes->fds);
}

/* Note a whole message; of what was received nothing is looked at that was not checked. */
static void note_message(struct handshake *h, bool received)
{
	struct handshake_note *note = &h->notes[h->noted];

	if (!log_is_on(LOG_PROTOCOL) || h->noted == sizeof(h->notes) / sizeof(*h->notes))
		return;
	note->socket = h->socket;
	note->received = received;
	note->fds = (uint8_t)(received ? h->count : h->out_count);
	header_decode(received ? h->in : h->out, &note->header);
	h->noted++;
}

/* Send what is to be sent. */
static int flush(struct handshake *h)
{
	ssize_t n;

	if (!h->to_send)
		return 0;
	while (h->sent < h->to_send) {
		n = fdpass_send(h->socket, h->out + h->sent, h->to_send - h->sent, h->out_fds, h->out_count, true);
		if (n < 0)
			return (int)n;
		if (h->sent + (uint32_t)n == h->to_send)
			note_message(h, false);
		h->sent += (uint32_t)n;
		h->out_count = 0; /* they went with the first byte */
	}
	h->sent = h->to_send = 0;
	return 0;
}

/* A header of a handshake's first messages, which may be of the older protocol. */
static int check_exchange(const struct handshake *h, const struct wire_header *header)
{
	uint8_t version = h->server ? WIRE_VERSION_OLDER : WIRE_VERSION;

	if (header->type == WIRE_EXCHANGE && header->version == version)
		return header->length == WIRE_HEADER ? 0 : -EPROTO;
	if (h->server)
		return header->version == 2 && header->type == WIRE_OLDER_BY_PATH ? -EPROTONOSUPPORT : -EPROTO;
	return header->type == WIRE_EXCHANGE && (header->version == 2 || header->version == WIRE_VERSION_OLDER)
		       ? -EPROTONOSUPPORT
		       : -EPROTO;
}

/* What each state waits for: the server's, the client's. */
static const struct {
	uint8_t type[2];
	bool fds;
	uint32_t least[2], most[2];
} expected[] = {
	[HANDSHAKE_HELLO] = { { WIRE_HELLO, WIRE_WELCOME },
			      false,
			      { WIRE_HELLO_SIZE, WIRE_HELLO_SIZE },
			      { WIRE_HELLO_MAX, WIRE_HELLO_MAX } },
	[HANDSHAKE_CHANNEL] = { { WIRE_OFFER, WIRE_ANSWER },
				true,
				{ WIRE_OFFER_SIZE, WIRE_HEADER },
				{ WIRE_OFFER_SIZE, WIRE_HEADER } },
};

/* The header has arrived: whether it is what is waited for, and how much is to follow. */
static int check_header(struct handshake *h)
{
	int side = h->server ? 0 : 1;
	struct wire_header header;

	if (header_decode(h->in, &header))
		return -EPROTO;
	if (h->state == HANDSHAKE_EXCHANGE)
		return h->count ? -EPROTO : check_exchange(h, &header);
	if (h->state == HANDSHAKE_HELLO && h->server && header.version == WIRE_VERSION_OLDER &&
	    (header.type == WIRE_OLDER_BY_PATH || header.type == WIRE_OLDER_BY_MEMFD))
		return -EPROTONOSUPPORT;
	if (header.version != WIRE_VERSION)
		return -EPROTO;
	h->native = true;
	h->refused = header.type == WIRE_ERROR;
	if (h->count && (h->refused || !expected[h->state].fds))
		return -EPROTO;
	if (h->refused
		    ? header.length != WIRE_ERROR_SIZE
		    : header.type != expected[h->state].type[side] || header.length < expected[h->state].least[side] ||
			      header.length > expected[h->state].most[side])
		return -EPROTO;
	h->size = header.length;
	return 0;
}

/* Read one message. */
static int receive(struct handshake *h)
{
	bool first;
	int r = 0, count;
	ssize_t n;

	while (!r && h->got < h->size) {
		first = !h->got;
		count = first ? REGION_FDS_MAX : 0;
		n = fdpass_receive(h->socket, h->in + h->got, h->size - h->got, first ? h->fds : NULL, &count,
				   first ? &h->from : NULL);
		if (n <= 0)
			return n ? (int)n : -EPIPE;
		if (first)
			h->count = count;
		h->got += (uint32_t)n;
		if (h->got == WIRE_HEADER)
			r = check_header(h);
	}
	if (!r)
		note_message(h, true);
	return r;
}

/* Whether the peer's limits are such as options may have. */
static bool are_limits(const struct wire_hello *hello)
{
	struct shmipc_session_options options = SHMIPC_SESSION_OPTIONS_INIT;

	options.window = hello->window;
	options.private_max = hello->private_max;
	options.streams_max = hello->streams_max;
	options.channel.memory_max = hello->memory_max;
	options.channel.segment_bytes = LAYOUT_PAGE;
	return !shmipc_session_options_check(&options, NULL, 0);
}

/* What either side's hello says of its sender. */
static int note_hello(struct handshake *h, struct wire_hello *hello)
{
	hello_decode(h->in, hello);
	if (hello->required)
		return -EPROTONOSUPPORT;
	if (!hello->revision || !are_limits(hello))
		return -EPROTO;
	h->limits = (struct session_limits){
		.window = hello->window,
		.private_max = hello->private_max,
		.streams_max = hello->streams_max,
	};
	h->memory_max = hello->memory_max;
	return 0;
}

static int take_hello(struct handshake *h)
{
	struct wire_hello hello;
	uint32_t both;
	int r = note_hello(h, &hello);

	if (r)
		return r;
	if (hello.choice)
		return -EPROTO;
	both = h->backends & hello.backends;
	if (!both)
		return -EOPNOTSUPP;
	send_hello(h, both & WIRE_KMOD ? WIRE_KMOD : WIRE_MEMFD);
	h->backends = both;
	return 0;
}

/* The client makes the channel, no larger than the server said that it takes. */
static int make_channel(struct handshake *h, uint32_t choice)
{
	struct shmipc_channel_options options = h->options->channel;
	int r;

	if (options.memory_max > h->memory_max)
		options.memory_max = h->memory_max;
	if (options.segment_bytes > options.memory_max)
		options.segment_bytes = options.memory_max;
	options.backend = choice == WIRE_KMOD ? SHMIPC_BACKEND_KMOD : SHMIPC_BACKEND_MEMFD;
	r = shmipc_channel_create(&options, &h->channel);
	if ((r != -EOPNOTSUPP && r != -EACCES) || choice != WIRE_KMOD || !(h->backends & WIRE_MEMFD))
		return r;
	options.backend = SHMIPC_BACKEND_MEMFD;
	return shmipc_channel_create(&options, &h->channel);
}

static int take_welcome(struct handshake *h)
{
	struct wire_hello hello;
	struct offer offer;
	int r = note_hello(h, &hello);

	if (r)
		return r;
	h->backends &= hello.backends;
	if ((hello.choice != WIRE_KMOD && hello.choice != WIRE_MEMFD) || !(hello.choice & h->backends))
		return -EPROTO;
	r = make_channel(h, hello.choice);
	if (r)
		return r;
	r = offer_make(h->channel, &offer, h->out_fds);
	if (r < 0)
		return r;
	h->out_count = r;
	h->to_send = offer_encode(h->out, &offer);
	return 0;
}

static int take_offer(struct handshake *h)
{
	const struct wire_header answer = { WIRE_HEADER, WIRE_VERSION, WIRE_ANSWER };
	int count = h->count, r;
	struct offer offer;

	offer_decode(h->in, &offer);
	if (!(h->backends & (offer.backend == SHMIPC_BACKEND_KMOD ? WIRE_KMOD : WIRE_MEMFD)))
		return -EPROTO;
	r = offer_check(&offer);
	if (r)
		return r;
	/* This side's lane has as many, and on memfd that is memory of this side's. */
	if (offer.slots > h->options->slots_max || offer.slices > h->options->slices_max)
		return -E2BIG;
	h->count = 0; /* not ours any more */
	/* A client that wants much to begin with pays for that alone; this lane grows when it is needed. */
	r = offer_accept(&offer, &h->options->channel, h->options->channel.segment_bytes, h->fds, count, &h->from,
			 h->out_fds, &h->channel);
	if (r < 0)
		return r;
	h->out_count = r;
	header_encode(h->out, &answer);
	h->to_send = WIRE_HEADER;
	return 0;
}

static int take_answer(struct handshake *h)
{
	int count = h->count;

	h->count = 0; /* not ours any more */
	return offer_finish(h->channel, h->fds, count, &h->from);
}

/* A whole message has arrived. */
static int handle(struct handshake *h)
{
	int r = 0;

	if (h->refused)
		return error_decode(h->in);
	switch (h->state) {
	case HANDSHAKE_EXCHANGE:
		if (h->server) {
			send_exchange(h, WIRE_VERSION);
		} else {
			h->native = true;
			send_hello(h, 0);
		}
		break;
	case HANDSHAKE_HELLO:
		r = h->server ? take_hello(h) : take_welcome(h);
		break;
	default:
		r = h->server ? take_offer(h) : take_answer(h);
		break;
	}
	h->state++;
	h->got = 0;
	h->size = WIRE_HEADER;
	return r == -EAGAIN ? -ENOMEM : r; /* threads ran out; in here -EAGAIN means something else */
}

/* 0: done; 1: go on. */
static int advance(struct handshake *h)
{
	int r = flush(h);

	if (!r && h->state == HANDSHAKE_DONE) {
		if (h->server)
			offer_answered(h->channel);
		return 0;
	}
	if (!r)
		r = receive(h);
	if (!r)
		r = handle(h);
	return r ? r : 1;
}

/* Tell the other side, if it can be told at once. */
static int fail(struct handshake *h, int error)
{
	if (error == -ECONNRESET || error == -ENOTCONN)
		error = -EPIPE;
	if (h->native && !h->refused && error != -EPIPE && !h->sent) {
		h->to_send = error_encode(h->out, error);
		h->out_count = 0;
		flush(h);
	}
	return error;
}

int handshake_step(struct handshake *h)
{
	int r;

	do
		r = advance(h);
	while (r > 0);
	if (r == -EAGAIN && process_now() >= h->deadline)
		r = -ETIMEDOUT;
	return r && r != -EAGAIN ? fail(h, r) : r;
}

void handshake_take(struct handshake *h, struct shmipc_channel **channel, struct session_limits *limits)
{
	*channel = h->channel;
	*limits = h->limits;
	h->channel = NULL;
}

void handshake_fini_copy(struct handshake *h)
{
	fdpass_close(h->fds, h->count);
	h->count = 0;
	shmipc_channel_destroy(h->channel);
	h->channel = NULL;
}

void handshake_fini(struct handshake *h)
{
	handshake_fini_copy(h);
	fdpass_restore_credentials(h->socket, h->credentials);
}
