// SPDX-License-Identifier: Apache-2.0
/*
 * fork_memory.c - tests of what closing handles in a forked child gives back there: all private memory, and nothing of the parent's
 *
 * The program is linked with --wrap for the allocator's functions, so that what the library has allocated and not freed is
 * counted here. A server whose memory is not to count is a process of its own.
 */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "listener_pair.h"
#include "server.h"
#include "session_pair.h"

static _Atomic long alive;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);

void *__wrap_malloc(size_t size)
{
	alive++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	alive++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	alive += !old;
	return __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	alive++;
	return __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
	alive++;
	return __real_strdup(text);
}

void __wrap_free(void *memory)
{
	alive -= memory != NULL;
	__real_free(memory);
}

/* What a process has once and for all, such as the watcher's thread. */
static void warm_up(struct pair *pair)
{
	struct shmipc_dispatcher *dispatcher;

	session_pair_open(pair, NULL, NULL);
	session_pair_close(pair);
	assert_code(shmipc_dispatcher_create(1, &dispatcher), 0);
	shmipc_dispatcher_close(dispatcher);
}

struct family {
	struct pair *pair;
	long before; /* what was allocated when there was none of this */
	struct ends ends, ended, more;
	struct shmipc_piece piece;
	struct shmipc_buffer buffer;
	struct shmipc_stream *unseen; /* by the server */
	bool sessions_first;
};

/* Streams in every state: with bytes to read of each kind, in the middle of reading and writing, ended, not yet accepted. */
static void open_family(struct pair *pair, struct family *f, bool sessions_first)
{
	char some[10];

	memset(f, 0, sizeof(*f));
	warm_up(pair);
	f->pair = pair;
	f->sessions_first = sessions_first;
	f->before = alive;
	session_pair_open(pair, NULL, NULL);
	assert_true(shmipc_session_fd(pair->server) >= 0);
	f->ends = ends_open(pair);
	f->ended = ends_open(pair);
	f->more = ends_open(pair);
	assert_code(shmipc_stream_reserve(f->ends.near, 5000, &f->buffer, FAR), 0);
	assert_code(shmipc_stream_end(f->ended.near), 0);
	assert_code(shmipc_stream_write(f->more.near, "held", 4, SHMIPC_MORE, FAR), 4);
	assert_code(shmipc_stream_open(pair->client, &f->unseen), 0);
	pattern_write(f->unseen, 100, 1);
	pattern_write(f->unseen, 10000, 2);
	assert_code(shmipc_session_process(pair->server), 0);
	pattern_write(f->ends.far, 20000, 3);
	pattern_write(f->ends.far, 100, 4);
	assert_code(shmipc_stream_receive(f->ends.near, &f->piece, FAR), 1);
	pattern_write(f->more.far, 1000, 5);
	pattern_write(f->more.far, 1000, 6);
	assert_code(shmipc_stream_read(f->more.near, some, sizeof(some), FAR), sizeof(some));
}

static void close_streams(struct family *f)
{
	shmipc_stream_close(f->ends.near);
	shmipc_stream_close(f->ends.far);
	shmipc_stream_close(f->ended.near);
	shmipc_stream_close(f->ended.far);
	shmipc_stream_close(f->more.near);
	shmipc_stream_close(f->more.far);
	shmipc_stream_close(f->unseen);
}

static int close_family(void *argument)
{
	struct family *f = argument;

	if (!f->sessions_first)
		close_streams(f);
	session_pair_close(f->pair);
	if (f->sessions_first)
		close_streams(f);
	child_check(alive == f->before);
	return 0;
}

/* In the parent all goes on where it was. */
static void finish_family(struct family *f)
{
	char bytes[10];

	assert_true(pattern_is(f->piece.data, 20000, 3));
	assert_code(shmipc_stream_release(f->ends.near, &f->piece), 0);
	pattern_read(f->ends.near, 100, 4);
	pattern_fill(f->buffer.data, 5000, 7);
	assert_code(shmipc_stream_submit(f->ends.near, &f->buffer, 5000, 0, FAR), 0);
	pattern_read(f->ends.far, 5000, 7);
	assert_code(shmipc_stream_read(f->ended.far, bytes, sizeof(bytes), FAR), 0);
	assert_code(shmipc_stream_flush(f->more.near, FAR), 0);
	assert_code(shmipc_stream_read(f->more.far, bytes, sizeof(bytes), FAR), 4);
	assert_memory_equal(bytes, "held", 4);
	close_streams(f);
	session_pair_close(f->pair);
	assert_int_equal(alive - f->before, 0);
}

static void streams_and_then_sessions_that_a_child_closes_leave_nothing(struct pair *pair)
{
	struct family f;

	open_family(pair, &f, false);
	assert_int_equal(run_forked(close_family, &f), 0);
	finish_family(&f);
}

static void sessions_and_then_streams_that_a_child_closes_leave_nothing(struct pair *pair)
{
	struct family f;

	open_family(pair, &f, true);
	assert_int_equal(run_forked(close_family, &f), 0);
	finish_family(&f);
}

/* A pool with idle streams, and two that are out. */
struct taken {
	struct shmipc_pool *pool;
	struct shmipc_stream *streams[2];
	long before;
	bool pool_first;
};

static int close_taken(void *argument)
{
	struct taken *taken = argument;

	if (taken->pool_first)
		shmipc_pool_close(taken->pool);
	shmipc_stream_close(taken->streams[0]);
	child_check(shmipc_pool_put(taken->pool_first ? NULL : taken->pool, taken->streams[1]) == 0);
	if (!taken->pool_first)
		shmipc_pool_close(taken->pool);
	child_check(alive == taken->before);
	return 0;
}

static void expect_pool_freed(struct pair *pair, bool pool_first)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct taken taken = { .pool_first = pool_first };
	struct shmipc_stream *streams[8];
	char address[64];
	pid_t pid;
	int i;

	warm_up(pair);
	server_name(address);
	pid = server_spawn(pair, address);
	taken.before = alive;
	options.sessions = 2;
	assert_code(shmipc_pool_create(address, &options, &taken.pool), 0);
	for (i = 0; i < 8; i++) {
		assert_code(shmipc_pool_get(taken.pool, &streams[i], FAR), 0);
		assert_code(server_echo(streams[i], 1, 100), 0);
	}
	for (i = 2; i < 8; i++)
		assert_code(shmipc_pool_put(taken.pool, streams[i]), 1);
	taken.streams[0] = streams[0];
	taken.streams[1] = streams[1];
	assert_int_equal(run_forked(close_taken, &taken), 0);
	for (i = 0; i < 2; i++) {
		assert_code(server_echo(streams[i], 2, 100), 0);
		assert_code(shmipc_pool_put(taken.pool, streams[i]), 1);
	}
	assert_int_equal(pool_stats_of(taken.pool).idle, 8);
	assert_int_equal(pool_stats_of(taken.pool).reconnects, 0);
	shmipc_pool_close(taken.pool);
	assert_int_equal(alive - taken.before, 0);
	server_kill(pid);
}

static void a_pool_and_then_its_streams_that_a_child_closes_leave_nothing(struct pair *pair)
{
	expect_pool_freed(pair, true);
}

static void streams_and_then_their_pool_that_a_child_closes_leave_nothing(struct pair *pair)
{
	expect_pool_freed(pair, false);
}

/* The child's copy of a handshake in progress is freed, and the handshake goes on. */
static void a_pool_that_connects_is_not_disturbed_by_a_child_that_closes_it(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct server server = { 0 };
	struct taken taken = { .pool_first = true };
	struct pollfd silent = { .events = POLLIN };
	struct shmipc_stream *stream;
	struct shmipc_peer peer;
	uint64_t retries;
	pid_t pid;

	warm_up(pair);
	server_name(server.address);
	pid = server_spawn(pair, server.address);
	taken.before = alive;
	options.connect_ms = 3600000;
	assert_code(shmipc_pool_create(server.address, &options, &taken.pool), 0);
	server_kill(pid);
	silent.fd = server_silent(server.address, 10);
	assert_int_equal(poll(&silent, 1, 20000), 1);
	sleep_ms(20); /* it says its first word */
	retries = pool_stats_of(taken.pool).retries;
	assert_int_equal(run_forked(close_taken, &taken), 0);
	server_start(&server, pair, 1, silent.fd);
	assert_code(shmipc_pool_get(taken.pool, &stream, FAR), 0);
	assert_int_equal(pool_stats_of(taken.pool).retries, retries);
	/* The kernel still says who sends what. */
	assert_code(shmipc_session_peer(shmipc_stream_session(stream), &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_code(server_echo(stream, 1, 100), 0);
	assert_code(shmipc_pool_put(taken.pool, stream), 1);
	assert_int_equal(server.accepted, 1);
	shmipc_pool_close(taken.pool);
	server_stop(&server);
}

struct listening {
	struct shmipc_listener *listener;
	struct shmipc_dispatcher *dispatcher;
	struct shmipc_session *client;
	struct shmipc_stream *stream;
	long before;
};

static int close_listening(void *argument)
{
	struct listening *l = argument;

	shmipc_listener_close(l->listener);
	shmipc_dispatcher_close(l->dispatcher);
	shmipc_stream_close(l->stream);
	shmipc_session_close(l->client);
	child_check(alive == l->before);
	return 0;
}

static void begin_listening(struct pair *pair, struct listening *l)
{
	memset(l, 0, sizeof(*l));
	warm_up(pair);
	l->before = alive;
	l->listener = listener_open(pair, NULL);
}

/* One session waits to be accepted, one was, one handshake is in progress. */
static void a_listener_that_a_child_closes_leaves_nothing(struct pair *pair)
{
	struct connecting connecting;
	struct shmipc_session *server;
	struct listening l;
	int silent;

	begin_listening(pair, &l);
	silent = connect_bare(shmipc_listener_address(l.listener));
	connecting_start(&connecting, pair, shmipc_listener_address(l.listener));
	await(shmipc_listener_process(l.listener) == 1);
	assert_code(worker_join(&connecting.worker), 0);
	l.client = connecting.session;
	assert_int_equal(run_forked(close_listening, &l), 0);
	assert_false(is_hung_up(silent));
	assert_code(shmipc_listener_accept(l.listener, &server, 0), 0);
	echo_once(l.client, server);
	close(silent);
	shmipc_session_close(l.client);
	shmipc_session_close(server);
	shmipc_listener_close(l.listener);
	assert_int_equal(alive - l.before, 0);
}

static void drop_session(struct shmipc_listener *listener, struct shmipc_session *session, void *arg)
{
	(void)listener;
	(void)arg;
	shmipc_session_close(session);
}

static void a_dispatcher_that_a_child_closes_leaves_nothing(struct pair *pair)
{
	struct listening l;

	begin_listening(pair, &l);
	assert_code(shmipc_dispatcher_create(2, &l.dispatcher), 0);
	assert_code(shmipc_dispatcher_add_listener(l.dispatcher, l.listener, drop_session, NULL), 0);
	session_pair_open(pair, NULL, NULL);
	assert_code(shmipc_dispatcher_add_session(l.dispatcher, pair->server), 0);
	l.client = pair->server;
	l.stream = NULL;
	shmipc_session_close(pair->client);
	pair->client = pair->server = NULL;
	await(shmipc_session_error(l.client) == -EPIPE);
	sleep_ms(20); /* its thread sleeps again */
	assert_int_equal(run_forked(close_listening, &l), 0);
	shmipc_dispatcher_close(l.dispatcher);
	shmipc_session_close(l.client);
	shmipc_listener_close(l.listener);
	assert_int_equal(alive - l.before, 0);
}

static void a_listener_of_streams_that_a_child_closes_leaves_nothing(struct pair *pair)
{
	struct connecting connecting;
	struct shmipc_stream *stream;
	struct listening l;

	begin_listening(pair, &l);
	assert_code(shmipc_listener_accept_stream(l.listener, &stream, 0), -EAGAIN);
	connecting_start(&connecting, pair, shmipc_listener_address(l.listener));
	assert_code(worker_join(&connecting.worker), 0);
	l.client = connecting.session;
	assert_code(shmipc_stream_open(l.client, &l.stream), 0);
	pattern_write(l.stream, 1000, 1);
	await(session_stats_of(l.client).channel.messages_sent); /* and its thread has taken it */
	sleep_ms(50);
	assert_int_equal(run_forked(close_listening, &l), 0);
	assert_code(shmipc_listener_accept_stream(l.listener, &stream, FAR), 0);
	pattern_read(stream, 1000, 1);
	shmipc_stream_close(stream);
	shmipc_stream_close(l.stream);
	shmipc_session_close(l.client);
	shmipc_listener_close(l.listener);
	assert_int_equal(alive - l.before, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH_FORKING(streams_and_then_sessions_that_a_child_closes_leave_nothing),
		ON_BOTH_FORKING(sessions_and_then_streams_that_a_child_closes_leave_nothing),
		ON_BOTH_FORKING(a_pool_and_then_its_streams_that_a_child_closes_leave_nothing),
		ON_BOTH_FORKING(streams_and_then_their_pool_that_a_child_closes_leave_nothing),
		ON_BOTH_FORKING(a_pool_that_connects_is_not_disturbed_by_a_child_that_closes_it),
		ON_BOTH_FORKING(a_listener_that_a_child_closes_leaves_nothing),
		ON_BOTH_FORKING(a_dispatcher_that_a_child_closes_leaves_nothing),
		ON_BOTH_FORKING(a_listener_of_streams_that_a_child_closes_leaves_nothing),
	};

	server_main(argc, argv);
	return RUN_TESTS(tests, argc, argv);
}
