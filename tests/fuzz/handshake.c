// SPDX-License-Identifier: Apache-2.0
/*
 * handshake.c - both sides of a handshake, with the fuzzer between them: it forwards messages, changes them, cuts
 * and splits them, sends its own, with any descriptors; or it is the only peer that a side has
 */
#include "wire/handshake.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../left.h"
#include "fdpass.h"
#include "input.h"
#include "pair.h"

struct side {
	struct handshake handshake;
	int near, far; /* its socket, and the fuzzer's end */
	int result;
};

struct message {
	unsigned char bytes[1024];
	size_t size;
	int fds[FDPASS_MAX], count;
};

static struct shmipc_session_options small_options(void)
{
	struct shmipc_session_options o = SHMIPC_SESSION_OPTIONS_INIT;

	o.channel = pair_options();
	return o;
}

static void begin(struct side *s, bool server, const struct shmipc_session_options *options)
{
	int pair[2];

	check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	s->near = pair[0];
	s->far = pair[1];
	s->result = -EAGAIN;
	check(!handshake_init(&s->handshake, s->near, server, options, SHMIPC_FOREVER));
}

static void step(struct side *s)
{
	if (s->result != -EAGAIN)
		return;
	s->result = handshake_step(&s->handshake);
	check(s->result <= 0 && s->result > -4096);
	if (s->result == -EAGAIN)
		check(handshake_events(&s->handshake));
}

static struct shmipc_channel *end(struct side *s)
{
	struct shmipc_channel *channel = NULL;
	struct session_limits limits;

	if (!s->result) {
		handshake_take(&s->handshake, &channel, &limits);
		check(channel);
		check(limits.window >= 4096 && limits.window <= 1ull << 30);
		check(limits.private_max >= 65536 && limits.private_max <= 1ull << 40);
		check(limits.streams_max >= 1 && limits.streams_max <= 1u << 24);
	}
	handshake_fini(&s->handshake);
	close(s->near);
	close(s->far);
	return channel;
}

static int make_fd(struct input *in)
{
	int fd, pair[2];

	switch (input_below(in, 7)) {
	case 0: return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 1: return eventfd(0, EFD_CLOEXEC);
	case 2: return open("/", O_PATH | O_CLOEXEC);
	case 3: return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ? -1 : (close(pair[1]), pair[0]);
	case 4: return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	case 5: return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	default:
		fd = memfd_create("fuzz", MFD_ALLOW_SEALING | MFD_CLOEXEC);
		check(!ftruncate(fd, 4096 * (off_t)input_below(in, 32)));
		fcntl(fd, F_ADD_SEALS, (int)input_below(in, 32));
		return fd;
	}
}

static void change_fds(struct message *m, struct input *in)
{
	int i = (int)input_below(in, FDPASS_MAX);

	if (i < m->count)
		close(m->fds[i]);
	else
		i = m->count++;
	m->fds[i] = make_fd(in);
}

/* A field that is right, but for what the fuzzer says. */
static void change_field(struct message *m, struct input *in)
{
	size_t at = input_below(in, (uint32_t)sizeof(m->bytes) / 4) * 4;

	if (at + 4 <= m->size)
		put32(m->bytes + at, (uint32_t)input_take(in, 4));
}

static void change(struct message *m, struct input *in)
{
	uint32_t n = input_below(in, 4);

	while (n--) {
		switch (input_below(in, 6)) {
		case 0:
			if (m->size)
				m->bytes[input_below(in, (uint32_t)m->size)] = (unsigned char)input_take(in, 1);
			break;
		case 1:
			change_field(m, in);
			break;
		case 2:
			m->size = input_below(in, sizeof(m->bytes));
			break;
		case 3:
			put32(m->bytes, (uint32_t)m->size);
			break;
		case 4:
			change_fds(m, in);
			break;
		default:
			if (m->count)
				close(m->fds[--m->count]);
			break;
		}
	}
}

/* A message of the fuzzer's own, with a header that is right. */
static void make(struct message *m, struct input *in)
{
	static const uint8_t types[] = { WIRE_EXCHANGE, WIRE_HELLO, WIRE_WELCOME, WIRE_OFFER, WIRE_ANSWER, WIRE_ERROR };
	size_t i;

	m->size = WIRE_HEADER + input_below(in, 80);
	for (i = WIRE_HEADER; i < m->size; i++)
		m->bytes[i] = (unsigned char)input_take(in, 1);
	header_encode(m->bytes, &(struct wire_header){ (uint32_t)m->size, input_below(in, 2) ? WIRE_VERSION : 3,
						       types[input_below(in, sizeof(types))] });
	m->count = 0;
}

static void give(struct side *s, const struct message *m, struct input *in)
{
	uint32_t pieces = input_below(in, 3);
	int count = m->count;
	size_t at = 0, n;

	while (at < m->size) {
		n = pieces ? 1 + input_below(in, 30) : m->size;
		if (n > m->size - at)
			n = m->size - at;
		if (fdpass_send(s->far, m->bytes + at, n, m->fds, count, input_below(in, 4) != 0) < 0)
			break;
		step(s);
		at += n;
		count = input_below(in, 8) ? 0 : m->count;
	}
	step(s);
}

/* What a side has sent, as one message. */
static bool take(struct side *s, struct message *m)
{
	ssize_t n;

	step(s);
	m->count = FDPASS_MAX;
	n = fdpass_receive(s->far, m->bytes, sizeof(m->bytes), m->fds, &m->count, NULL);
	m->size = n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* Both came to an end: what they have works, or says that it does not. */
static void use(struct shmipc_channel *a, struct shmipc_channel *b)
{
	struct shmipc_message message;

	if (a && !shmipc_channel_push(a, "x", 1, 7, 0, 0) && b && !shmipc_channel_peek(b, &message))
		shmipc_channel_release(b, &message);
}

static void run(struct input *in)
{
	struct shmipc_session_options options = small_options();
	struct shmipc_channel *channel[2];
	struct message m = { .count = 0 };
	struct side sides[2];
	uint32_t from = 0, turns = 0, alone = input_below(in, 4);

	begin(&sides[0], false, &options);
	begin(&sides[1], true, &options);
	while (turns++ < 16 && (in->left || turns < 8)) {
		if (alone == 1 || alone == 2) {
			/* One side, and nobody but the fuzzer. */
			from = alone - 1;
			make(&m, in);
		} else if (!take(&sides[from], &m)) {
			from = 1 - from;
			continue;
		}
		change(&m, in);
		give(&sides[1 - from], &m, in);
		fdpass_close(m.fds, m.count);
		m.count = 0;
		from = 1 - from;
		if (input_below(in, 16) == 15)
			shutdown(sides[from].far, SHUT_WR);
	}
	channel[0] = end(&sides[0]);
	channel[1] = end(&sides[1]);
	use(channel[0], channel[1]);
	shmipc_channel_destroy(channel[0]);
	shmipc_channel_destroy(channel[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fds = -1, runs;
	struct input in = { data, size };

	run(&in);
	if (++runs % 64 == 0) {
		if (fds < 0)
			fds = count_fds();
		check(count_fds() <= fds + 1);
	}
	return 0;
}
