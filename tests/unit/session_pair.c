// SPDX-License-Identifier: Apache-2.0
/*
 * session_pair.c - makes sessions and streams for tests, and calls on them in threads
 */
#include "session_pair.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Atomic int signals_seen;

struct shmipc_session_options session_options(const struct pair *pair)
{
	struct shmipc_session_options options = SHMIPC_SESSION_OPTIONS_INIT;

	options.channel.backend = pair->backend;
	options.channel.sync = SHMIPC_SYNC_DEMAND;
	return options;
}

struct accepting {
	int socket, result;
	const struct shmipc_session_options *options;
	struct shmipc_session *session;
};

static void *accept_session(void *argument)
{
	struct accepting *a = argument;

	a->result = shmipc_session_accept_fd(a->socket, a->options, FAR, &a->session);
	return NULL;
}

void session_pair_try(struct pair *pair, const struct shmipc_session_options *client,
		      const struct shmipc_session_options *server, int *client_result, int *server_result)
{
	struct shmipc_session_options defaults = session_options(pair);
	struct accepting accepting = { .options = server ? server : &defaults, .result = 1 };
	pthread_t thread;
	int socket[2];

	pair->client = pair->server = NULL;
	pair->fini = session_pair_close;
	pair_sockets(socket);
	accepting.socket = socket[1];
	assert_int_equal(pthread_create(&thread, NULL, accept_session, &accepting), 0);
	*client_result = shmipc_session_connect_fd(socket[0], client ? client : &defaults, FAR, &pair->client);
	pthread_join(thread, NULL);
	*server_result = accepting.result;
	pair->server = accepting.session;
}

void session_pair_open(struct pair *pair, const struct shmipc_session_options *client,
		       const struct shmipc_session_options *server)
{
	int r[2];

	session_pair_try(pair, client, server, &r[0], &r[1]);
	assert_code(r[0], 0);
	assert_code(r[1], 0);
}

void session_pair_close(struct pair *pair)
{
	shmipc_session_close(pair->client);
	shmipc_session_close(pair->server);
	pair->client = pair->server = NULL;
}

struct ends ends_open_by(struct shmipc_session *opener, struct shmipc_session *accepter)
{
	struct ends ends = { NULL, NULL };
	char byte = 0;

	assert_code(shmipc_stream_open(opener, &ends.near), 0);
	assert_code(shmipc_stream_write(ends.near, "!", 1, 0, FAR), 1);
	assert_code(shmipc_session_accept(accepter, &ends.far, FAR), 0);
	assert_code(shmipc_stream_read(ends.far, &byte, 1, FAR), 1);
	assert_int_equal(byte, '!');
	return ends;
}

struct ends ends_open(struct pair *pair)
{
	return ends_open_by(pair->client, pair->server);
}

void ends_close(struct pair *pair, struct ends *ends)
{
	shmipc_stream_close(ends->near);
	shmipc_stream_close(ends->far);
	*ends = (struct ends){ NULL, NULL };
	session_pair_await_empty(pair);
}

void session_look(struct shmipc_session *session)
{
	struct shmipc_stream *stream = NULL;
	int r = shmipc_session_accept(session, &stream, 0);

	if (r == 0)
		fail_msg("somebody opened stream %u", shmipc_stream_id(stream));
	if (r != -EAGAIN && r != shmipc_session_error(session))
		fail_msg("accept says %d", r);
}

struct shmipc_session_stats session_stats_of(struct shmipc_session *session)
{
	struct shmipc_session_stats stats;

	memset(&stats, 0xa5, sizeof(stats));
	stats.size = sizeof(stats);
	assert_code(shmipc_session_stats(session, &stats), 0);
	return stats;
}

struct shmipc_stream_stats stream_stats_of(struct shmipc_stream *stream)
{
	struct shmipc_stream_stats stats;

	memset(&stats, 0xa5, sizeof(stats));
	stats.size = sizeof(stats);
	assert_code(shmipc_stream_stats(stream, &stats), 0);
	return stats;
}

uint64_t session_streams(struct shmipc_session *session)
{
	return session_stats_of(session).streams;
}

static bool is_empty(struct shmipc_session *session)
{
	struct shmipc_session_stats stats;

	session_look(session);
	stats = session_stats_of(session);
	return !stats.streams && !stats.private_bytes && !stats.unread_bytes && !stats.channel.slices_lent &&
	       !stats.channel.bytes_lent;
}

/* Both are looked at each time: what one gives back the other one must see. */
static bool are_empty(struct pair *pair)
{
	bool client = is_empty(pair->client), server = is_empty(pair->server);

	return client && server;
}

void session_pair_await_empty(struct pair *pair)
{
	await(are_empty(pair));
}

void pattern_write(struct shmipc_stream *stream, size_t size, uint32_t tag)
{
	void *data = malloc(size + 1);

	assert_non_null(data);
	pattern_fill(data, size, tag);
	assert_code(shmipc_stream_write(stream, data, size, 0, FAR), (long long)size);
	free(data);
}

void pattern_read(struct shmipc_stream *stream, size_t size, uint32_t tag)
{
	unsigned char *data = malloc(size + 1);
	size_t got = 0;
	ssize_t n;

	assert_non_null(data);
	while (got < size) {
		n = shmipc_stream_read(stream, data + got, size - got, FAR);
		if (n <= 0 || (size_t)n > size - got)
			fail_msg("read says %zd, after %zu of %zu bytes", n, got, size);
		got += (size_t)n;
	}
	assert_true(pattern_is(data, size, tag));
	free(data);
}

size_t fill_up(struct shmipc_stream *stream, size_t size)
{
	char *data = calloc(1, size);
	size_t total = 0;
	ssize_t n;

	assert_non_null(data);
	while ((n = shmipc_stream_write(stream, data, size, 0, 0)) > 0)
		total += (size_t)n;
	assert_code(n, -EAGAIN);
	free(data);
	return total;
}

static int do_read(struct worker *worker)
{
	struct call *call = (struct call *)worker;

	return (int)shmipc_stream_read(call->stream, call->data, call->size, call->deadline);
}

static int do_write(struct worker *worker)
{
	struct call *call = (struct call *)worker;

	return (int)shmipc_stream_write(call->stream, call->data, call->size, call->flags, call->deadline);
}

static int do_receive(struct worker *worker)
{
	struct call *call = (struct call *)worker;

	return shmipc_stream_receive(call->stream, &call->piece, call->deadline);
}

static int do_wait(struct worker *worker)
{
	struct call *call = (struct call *)worker;

	return shmipc_stream_wait(call->stream, call->flags, call->deadline);
}

static int do_accept(struct worker *worker)
{
	struct call *call = (struct call *)worker;

	return shmipc_session_accept(call->session, &call->stream, call->deadline);
}

void call_read(struct call *call, struct shmipc_stream *stream, void *data, size_t size, int64_t deadline)
{
	*call = (struct call){
		.worker.call = do_read, .stream = stream, .data = data, .size = size, .deadline = deadline
	};
	worker_start(&call->worker);
}

void call_write(struct call *call, struct shmipc_stream *stream, const void *data, size_t size, int64_t deadline)
{
	*call = (struct call){
		.worker.call = do_write, .stream = stream, .data = (void *)data, .size = size, .deadline = deadline
	};
	worker_start(&call->worker);
}

void call_receive(struct call *call, struct shmipc_stream *stream, int64_t deadline)
{
	*call = (struct call){ .worker.call = do_receive, .stream = stream, .deadline = deadline };
	worker_start(&call->worker);
}

void call_wait(struct call *call, struct shmipc_stream *stream, unsigned int events, int64_t deadline)
{
	*call = (struct call){ .worker.call = do_wait, .stream = stream, .flags = events, .deadline = deadline };
	worker_start(&call->worker);
}

void call_accept(struct call *call, struct shmipc_session *session, int64_t deadline)
{
	*call = (struct call){ .worker.call = do_accept, .session = session, .deadline = deadline };
	worker_start(&call->worker);
}

static void count_signal(int signal)
{
	(void)signal;
	signals_seen++;
}

void signals_count(int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };

	signals_seen = 0;
	sigemptyset(&action.sa_mask);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}
