// SPDX-License-Identifier: Apache-2.0
/*
 * prey.c - a session whose peer may say anything: uses every call on streams of both sides, in every mode, and holds each to the
 * errors that it may return, to the time that it may take, and the session to what it may hold
 *
 * Beside it, a session within this process goes on: it must not be hurt.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "message.h"
#include "plan.h"
#include "round.h"
#include "session/internal.h"
#include "side.h"

#define STREAMS 24

struct prey {
	const struct order *order;
	struct shmipc_session *session;
	int64_t until, slack;
	uint64_t rng;
	_Atomic bool over;
	struct shmipc_stream *streams[STREAMS];
	struct shmipc_piece pieces[STREAMS];
	bool held[STREAMS];
	unsigned int count;
	long owned; /* streams that callbacks have, and that on_end is to close */
};

static void __attribute__((noreturn)) fail(const struct prey *p, const char *what, long value)
{
	fprintf(stderr, "# lie '%s', seed %#llx, the liar is the %s: %s: %ld\n", attack_name(p->order->attack),
		(unsigned long long)p->order->seed, p->order->creator ? "client" : "server", what, value);
	_exit(RUN_FAILED);
}

/* `r` came of a call that was to return by `latest`. */
static long check(struct prey *p, const char *what, long r, int64_t latest)
{
	int64_t late = clock_now() - latest;

	if (late > p->slack)
		fail(p, "too late, in milliseconds", (long)(late / 1000000));
	switch (r) {
	case -EPIPE:
	case -EBADMSG:
		if (shmipc_session_error(p->session))
			p->over = true;
		return r;
	case -EAGAIN:
	case -ETIMEDOUT:
	case -ECONNRESET:
	case -ECONNREFUSED:
	case -EMFILE:
	case -EBUSY:
	case -EMSGSIZE:
	case -ENOMEM:
	case -ESHUTDOWN:
		return r;
	default:
		if (r < 0)
			fail(p, what, r);
		return r;
	}
}

static int64_t soon(struct prey *p)
{
	return rng_below(&p->rng, 2) ? 0 : clock_now() + (int64_t)rng_below(&p->rng, 1500000);
}

static int64_t latest(int64_t deadline)
{
	int64_t now = clock_now();

	return deadline > now ? deadline : now;
}

static void drop(struct prey *p, unsigned int which)
{
	if (p->held[which] && rng_below(&p->rng, 2))
		check(p, "release", shmipc_stream_release(p->streams[which], &p->pieces[which]), clock_now());
	shmipc_stream_close(p->streams[which]);
	p->count--;
	p->streams[which] = p->streams[p->count];
	p->pieces[which] = p->pieces[p->count];
	p->held[which] = p->held[p->count];
	p->held[p->count] = false;
}

static void add(struct prey *p, struct shmipc_stream *stream)
{
	if (p->count == STREAMS)
		drop(p, (unsigned int)rng_below(&p->rng, STREAMS));
	p->held[p->count] = false;
	p->streams[p->count++] = stream;
}

static void meet(struct prey *p)
{
	struct shmipc_stream *stream;
	int64_t deadline = soon(p);
	long r;

	if (rng_below(&p->rng, 3) == 0) {
		r = check(p, "open", shmipc_stream_open(p->session, &stream), clock_now());
	} else {
		r = check(p, "accept", shmipc_session_accept(p->session, &stream, deadline), latest(deadline));
	}
	if (!r)
		add(p, stream);
}

/* Bytes are touched, wherever they lie. */
static volatile unsigned char sink;

static void read_bytes(struct prey *p, unsigned int which)
{
	static unsigned char room[100000];
	struct shmipc_stream *stream = p->streams[which];
	size_t most = rng_below(&p->rng, sizeof(room)) + 1;
	int64_t deadline = soon(p), by = latest(deadline);
	const void *data;
	int last;
	long n, i;

	switch (rng_below(&p->rng, 6)) {
	case 0:
		check(p, "read", shmipc_stream_read(stream, room, most, deadline), by);
		break;
	case 1:
		check(p, "read_message", shmipc_stream_read_message(stream, room, most, &last, deadline), by);
		break;
	case 2:
		check(p, "discard", shmipc_stream_discard(stream, most, deadline), by);
		break;
	case 3:
		n = check(p, "peek", shmipc_stream_peek(stream, rng_below(&p->rng, 3000) + 1, &data, deadline), by);
		for (i = 0; i < n; i++)
			sink = ((const unsigned char *)data)[i];
		break;
	default:
		if (p->held[which]) {
			for (i = 0; i < (long)p->pieces[which].size; i++)
				sink = ((const unsigned char *)p->pieces[which].data)[i];
			check(p, "release", shmipc_stream_release(stream, &p->pieces[which]), clock_now());
			p->held[which] = false;
			break;
		}
		n = check(p, "receive", shmipc_stream_receive(stream, &p->pieces[which], deadline), by);
		p->held[which] = n == 1;
	}
}

static void write_bytes_somehow(struct prey *p, struct shmipc_stream *stream)
{
	static unsigned char room[50000];
	size_t size = rng_below(&p->rng, 3) ? rng_below(&p->rng, 400) : rng_below(&p->rng, sizeof(room));
	int64_t deadline = soon(p), by = latest(deadline);
	struct shmipc_buffer buffer;
	long r;

	if (rng_below(&p->rng, 3)) {
		check(p, "write",
		      shmipc_stream_write(stream, room, size, rng_below(&p->rng, 4) ? 0 : SHMIPC_MORE, deadline), by);
		return;
	}
	r = check(p, "reserve", shmipc_stream_reserve(stream, size, &buffer, deadline), by);
	if (r)
		return;
	memset(buffer.data, 1, size);
	deadline = soon(p);
	r = check(p, "submit", shmipc_stream_submit(stream, &buffer, size, 0, deadline), latest(deadline));
	/* What went out in part can only be given up with its stream. */
	if (r == -EAGAIN || r == -ETIMEDOUT)
		shmipc_stream_cancel(stream, &buffer);
}

static void do_seldom(struct prey *p, unsigned int which)
{
	struct shmipc_session_stats stats = { .size = sizeof(stats) };
	struct shmipc_stream *stream = p->streams[which];
	int64_t deadline = soon(p);
	char in[100];

	switch (rng_below(&p->rng, 7)) {
	case 0:
		check(p, "end", shmipc_stream_end(stream), clock_now());
		break;
	case 1:
		check(p, "reset", shmipc_stream_reset(stream, 5), clock_now());
		break;
	case 2:
		drop(p, which);
		break;
	case 3:
		check(p, "call", shmipc_stream_call(stream, "?", 1, in, sizeof(in), deadline), latest(deadline));
		break;
	case 4:
		check(p, "wait", shmipc_stream_wait(stream, 1 + (unsigned int)rng_below(&p->rng, 1), deadline),
		      latest(deadline));
		break;
	case 5:
		check(p, "flush", shmipc_stream_flush(stream, deadline), latest(deadline));
		break;
	default:
		check(p, "stats", shmipc_session_stats(p->session, &stats), clock_now());
		/* Twice, and what came late: see harvest.c. Those that the peer closed are open for who holds them. */
		if (stats.private_bytes > 3 * 65536 || stats.streams > 64 + 16 + STREAMS) {
			usleep(2000); /* it may be about to end for that */
			if (!shmipc_session_error(p->session))
				fail(p, "it holds more than it said", (long)(stats.private_bytes + stats.streams));
		}
	}
}

static void work(struct prey *p)
{
	unsigned int which;

	meet(p);
	if (!p->count)
		return;
	which = (unsigned int)rng_below(&p->rng, p->count);
	switch (rng_below(&p->rng, 5)) {
	case 0:
	case 1:
		read_bytes(p, which);
		break;
	case 2:
	case 3:
		write_bytes_somehow(p, p->streams[which]);
		break;
	default:
		do_seldom(p, which);
	}
}

static bool goes_on(struct prey *p)
{
	return !p->over && clock_now() < p->until;
}

static void work_blocked(struct prey *p)
{
	while (goes_on(p))
		work(p);
}

static void read_all(struct shmipc_stream *stream, void *arg)
{
	struct prey *p = arg;
	char in[3000];
	int i;

	for (i = 0; i < 50; i++)
		if (check(p, "read", shmipc_stream_read(stream, in, sizeof(in), 0), clock_now()) <= 0)
			return;
}

static void close_it(struct shmipc_stream *stream, int reason, void *arg)
{
	struct prey *p = arg;

	(void)reason;
	p->owned--;
	shmipc_stream_close(stream);
}

static void take(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	static const struct shmipc_stream_callbacks callbacks = { .on_readable = read_all, .on_end = close_it };

	struct prey *p = arg;

	(void)session;
	p->owned++;
	shmipc_stream_write(stream, "welcome", 7, 0, 0);
	if (shmipc_stream_set_callbacks(stream, &callbacks, arg))
		fail(p, "set_callbacks", 0);
}

static void work_in_a_loop(struct prey *p)
{
	static const struct shmipc_session_callbacks callbacks = { .on_stream = take };
	struct epoll_event event = { .events = EPOLLIN };
	int loop = epoll_create1(EPOLL_CLOEXEC), fd, r;

	check(p, "set_callbacks", shmipc_session_set_callbacks(p->session, &callbacks, p), clock_now());
	fd = shmipc_session_fd(p->session);
	if (fd < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event))
		fail(p, "fd", fd);
	while (goes_on(p)) {
		int64_t begin;

		epoll_wait(loop, &event, 1, (int)rng_below(&p->rng, 3));
		begin = clock_now();
		r = (int)check(p, "process", shmipc_session_process(p->session), begin);
		if (r < 0)
			break;
		if (rng_below(&p->rng, 4) == 0)
			work(p);
	}
	/* Streams that callbacks own end with the session, and are closed there. */
	shmipc_session_shutdown(p->session);
	for (r = 1; r > 0;)
		r = shmipc_session_process(p->session);
	if (p->owned)
		fail(p, "streams without on_end", p->owned);
	close(loop);
}

static void *disturb(void *argument)
{
	struct shmipc_session_stats stats;
	struct prey *p = argument;

	while (goes_on(p)) {
		stats.size = sizeof(stats);
		check(p, "stats", shmipc_session_stats(p->session, &stats), clock_now());
		usleep(200);
	}
	return NULL;
}

/* Another thread leads now and then. */
static void *accept_beside(void *argument)
{
	struct prey *p = argument;
	struct shmipc_stream *stream;
	int64_t deadline;

	while (goes_on(p)) {
		deadline = clock_now() + 1000000;
		if (!check(p, "accept", shmipc_session_accept(p->session, &stream, deadline), latest(deadline)))
			shmipc_stream_close(stream);
	}
	return NULL;
}

static void work_in_threads(struct prey *p)
{
	pthread_t threads[2];

	if (pthread_create(&threads[0], NULL, disturb, p) || pthread_create(&threads[1], NULL, accept_beside, p))
		fail(p, "no threads", errno);
	work_blocked(p);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
}

/* The session within this process. */
static struct {
	struct shmipc_session *side[2];
	struct shmipc_stream *stream[2];
	uint64_t count;
} honest;

struct opening {
	int socket;
	const struct shmipc_session_options *options;
	int result;
};

static void *open_server(void *argument)
{
	struct opening *o = argument;

	o->result = link_open(o->socket, true, o->options, &honest.side[1]);
	return NULL;
}

static void open_honest(struct prey *p)
{
	struct shmipc_session_options options = SHMIPC_SESSION_OPTIONS_INIT;
	struct opening server = { .options = &options };
	pthread_t thread;
	int pair[2], r;

	options.channel.backend = p->order->backend;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		fail(p, "socketpair", errno);
	server.socket = pair[1];
	if (pthread_create(&thread, NULL, open_server, &server))
		fail(p, "no thread", errno);
	r = link_open(pair[0], false, &options, &honest.side[0]);
	pthread_join(thread, NULL);
	if (r || server.result)
		fail(p, "the honest session", r ? r : server.result);
	if (shmipc_stream_open(honest.side[0], &honest.stream[0]))
		fail(p, "the honest stream", 0);
}

static void exchange_honestly(struct prey *p)
{
	uint64_t in = 0, out;
	int64_t deadline = clock_now() + p->slack;
	int i;

	if (!honest.side[0])
		open_honest(p);
	for (i = 0; i < 2; i++) {
		out = ++honest.count;
		if (shmipc_stream_write(honest.stream[i], &out, sizeof(out), 0, deadline) != sizeof(out))
			fail(p, "the honest session's write", i);
		if (!honest.stream[1] && shmipc_session_accept(honest.side[1], &honest.stream[1], deadline))
			fail(p, "the honest session's accept", i);
		if (shmipc_stream_read(honest.stream[!i], &in, sizeof(in), deadline) != sizeof(in) || in != out)
			fail(p, "the honest session's read", (long)in);
	}
}

void victim_round(const struct order *order, int socket, double patience)
{
	static void (*const modes[])(struct prey *) = { work_blocked, work_in_a_loop, work_in_threads };
	struct shmipc_session_options options = SHMIPC_SESSION_OPTIONS_INIT;
	struct prey p = { .order = order, .slack = (int64_t)(patience * 1e9 / 4), .rng = order->seed ^ 0x93e7 };
	int r, error;

	exchange_honestly(&p);
	round_options(order, &options.channel);
	options.window = 65536;
	options.private_max = 65536;
	options.streams_max = 64;
	options.backlog = 16;
	options.breaker_ms = 0;
	options.exhaustion = rng_below(&p.rng, 2) ? SHMIPC_EXHAUSTION_FALLBACK : SHMIPC_EXHAUSTION_WAIT;
	/* link_open() takes the socket; the caller closes its own. */
	r = link_open(fcntl(socket, F_DUPFD_CLOEXEC, 3), order->creator, &options, &p.session);
	if (r)
		fail(&p, "handshake", r);
	p.until = clock_now() + order->ms * 1000000ll;
	modes[rng_below(&p.rng, 3)](&p);
	exchange_honestly(&p);
	error = shmipc_session_error(p.session);
	if (error && error != -EPIPE && error != -EBADMSG && error != -ESHUTDOWN && error != -ENOMEM)
		fail(&p, "the session ended for another reason", error);
	if (rng_below(&p.rng, 2))
		shmipc_session_close(p.session);
	else
		error = 1;
	while (p.count)
		drop(&p, 0);
	if (error == 1)
		shmipc_session_close(p.session);
}
