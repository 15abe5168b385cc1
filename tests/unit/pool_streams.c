// SPDX-License-Identifier: Apache-2.0
/*
 * pool_streams.c - tests of taking streams from a pool and giving them back: what is kept, and what is not
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"
#include "session/internal.h"

struct fixture {
	struct server server;
	struct shmipc_pool_options options;
	struct shmipc_pool *pool;
};

static void open_with(struct fixture *f, const struct pair *pair, const struct shmipc_pool_options *options)
{
	memset(f, 0, sizeof(*f));
	server_start(&f->server, pair, 2, -1);
	f->options = *options;
	assert_code(shmipc_pool_create(f->server.address, options, &f->pool), 0);
	assert_non_null(f->pool);
}

static void open_default(struct fixture *f, const struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);

	open_with(f, pair, &options);
}

static void close_all(struct fixture *f)
{
	shmipc_pool_close(f->pool);
	server_stop(&f->server);
}

static struct shmipc_stream *get(struct shmipc_pool *pool)
{
	struct shmipc_stream *stream = NULL;

	assert_code(shmipc_pool_get(pool, &stream, FAR), 0);
	assert_non_null(stream);
	return stream;
}

static void a_stream_that_was_put_is_what_the_next_get_takes(struct pair *pair)
{
	struct shmipc_pool_stats stats;
	struct shmipc_stream *stream;
	struct fixture f;

	open_default(&f, pair);
	stream = get(f.pool);
	assert_code(server_echo(stream, 1, 100), 0);
	shmipc_stream_set_user(stream, &f);
	assert_code(shmipc_pool_put(f.pool, stream), 1);
	assert_ptr_equal(get(f.pool), stream);
	assert_null(shmipc_stream_user(stream));
	assert_code(server_echo(stream, 2, 100), 0);
	stats = pool_stats_of(f.pool);
	assert_int_equal(stats.sessions, 1);
	assert_int_equal(stats.healthy, 1);
	assert_int_equal(stats.idle, 0);
	assert_int_equal(stats.taken, 1);
	assert_int_equal(stats.opens, 1);
	assert_int_equal(stats.hits, 1);
	assert_int_equal(stats.discards, 0);
	assert_int_equal(stats.reconnects + stats.retries + stats.restarts, 0);
	assert_code(shmipc_pool_put(f.pool, stream), 1);
	stats = pool_stats_of(f.pool);
	assert_int_equal(stats.idle, 1);
	assert_int_equal(stats.taken, 0);
	close_all(&f);
}

/* Put says that it was closed, and the next get opens another one. */
static void expect_discard(struct fixture *f, struct shmipc_stream *stream)
{
	uint64_t discards = pool_stats_of(f->pool).discards, opens = pool_stats_of(f->pool).opens;

	assert_code(shmipc_pool_put(f->pool, stream), 0);
	assert_int_equal(pool_stats_of(f->pool).discards, discards + 1);
	stream = get(f->pool);
	assert_int_equal(pool_stats_of(f->pool).opens, opens + 1);
	shmipc_stream_close(stream);
	assert_int_equal(pool_stats_of(f->pool).taken, 0);
	assert_int_equal(pool_stats_of(f->pool).idle, 0);
}

static void a_stream_with_unread_bytes_is_not_kept(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct fixture f;

	open_default(&f, pair);
	stream = get(f.pool);
	assert_code(shmipc_stream_write(stream, "abc", 3, 0, FAR), 3);
	assert_code(shmipc_stream_wait(stream, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	expect_discard(&f, stream);
	close_all(&f);
}

static void a_stream_with_bytes_held_back_is_not_kept(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct fixture f;

	open_default(&f, pair);
	stream = get(f.pool);
	assert_code(shmipc_stream_write(stream, "abc", 3, SHMIPC_MORE, FAR), 3);
	expect_discard(&f, stream);
	close_all(&f);
}

static void a_stream_with_an_open_buffer_is_not_kept(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct shmipc_buffer buffer;
	struct fixture f;

	open_default(&f, pair);
	stream = get(f.pool);
	assert_code(shmipc_stream_reserve(stream, 1000, &buffer, FAR), 0);
	expect_discard(&f, stream);
	close_all(&f);
}

static void a_stream_with_a_piece_that_was_not_released_is_not_kept(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct shmipc_piece piece;
	struct fixture f;

	open_default(&f, pair);
	stream = get(f.pool);
	assert_code(shmipc_stream_write(stream, "abc", 3, 0, FAR), 3);
	assert_code(shmipc_stream_receive(stream, &piece, FAR), 1);
	expect_discard(&f, stream);
	close_all(&f);
}

static void never_called(struct shmipc_stream *stream, void *arg)
{
	(void)stream;
	(void)arg;
}

static void a_stream_with_callbacks_is_not_kept(struct pair *pair)
{
	struct shmipc_stream_callbacks callbacks = { .on_readable = never_called };
	struct shmipc_stream *stream;
	struct fixture f;

	open_default(&f, pair);
	stream = get(f.pool);
	assert_code(shmipc_stream_set_callbacks(stream, &callbacks, NULL), 0);
	expect_discard(&f, stream);
	close_all(&f);
}

static void a_stream_that_was_ended_is_not_kept(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct fixture f;

	open_default(&f, pair);
	stream = get(f.pool);
	assert_code(shmipc_stream_end(stream), 0);
	expect_discard(&f, stream);
	close_all(&f);
}

static void a_stream_that_was_reset_is_not_kept(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct fixture f;

	open_default(&f, pair);
	stream = get(f.pool);
	assert_code(shmipc_stream_reset(stream, 7), 0);
	expect_discard(&f, stream);
	close_all(&f);
}

/* While it was idle, the peer did something to a stream: it is not given out again. */
static void expect_spoilt_while_idle(struct pair *pair, void (*spoil)(struct server *server))
{
	struct shmipc_stream *stream;
	struct fixture f;
	uint32_t id;

	memset(&f, 0, sizeof(f));
	f.options = pool_options(pair);
	server_start(&f.server, pair, 1, -1);
	assert_code(shmipc_pool_create(f.server.address, &f.options, &f.pool), 0);
	stream = get(f.pool);
	id = shmipc_stream_id(stream);
	assert_code(server_echo(stream, 1, 100), 0);
	assert_code(shmipc_pool_put(f.pool, stream), 1);
	server_act(&f.server, pair, spoil);
	stream = get(f.pool);
	assert_int_not_equal(shmipc_stream_id(stream), id);
	assert_code(server_echo(stream, 2, 100), 0);
	assert_int_equal(pool_stats_of(f.pool).hits, 0);
	assert_int_equal(pool_stats_of(f.pool).taken, 1);
	assert_code(shmipc_pool_put(f.pool, stream), 1);
	close_all(&f);
}

static void spoil_by_bytes(struct server *server)
{
	assert_code(shmipc_stream_write(server->last_stream, "late", 4, 0, FAR), 4);
}

static void spoil_by_end(struct server *server)
{
	assert_code(shmipc_stream_end(server->last_stream), 0);
}

static void spoil_by_reset(struct server *server)
{
	assert_code(shmipc_stream_reset(server->last_stream, 3), 0);
}

static void bytes_that_came_to_an_idle_stream_keep_it_from_being_given_out(struct pair *pair)
{
	expect_spoilt_while_idle(pair, spoil_by_bytes);
}

static void an_idle_stream_that_the_peer_ended_is_not_given_out(struct pair *pair)
{
	expect_spoilt_while_idle(pair, spoil_by_end);
}

static void an_idle_stream_that_the_peer_reset_is_not_given_out(struct pair *pair)
{
	expect_spoilt_while_idle(pair, spoil_by_reset);
}

static void no_more_streams_are_kept_than_the_options_say(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_stream *streams[40];
	struct fixture f;
	int i, kept = 0;

	options.streams = 33;
	open_with(&f, pair, &options);
	for (i = 0; i < 40; i++)
		streams[i] = get(f.pool);
	for (i = 0; i < 40; i++)
		kept += shmipc_pool_put(f.pool, streams[i]);
	assert_int_equal(kept, 33);
	assert_int_equal(pool_stats_of(f.pool).idle, 33);
	assert_int_equal(pool_stats_of(f.pool).discards, 7);
	close_all(&f);
}

static void a_pool_that_is_to_keep_none_keeps_none(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct fixture f;

	options.streams = 0;
	open_with(&f, pair, &options);
	assert_code(shmipc_pool_put(f.pool, get(f.pool)), 0);
	assert_code(pool_echo(f.pool, 1), 0);
	close_all(&f);
}

static void idle_streams_that_grow_old_are_closed(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_stream *streams[20];
	int64_t began;
	struct fixture f;
	int i;

	options.idle_ms = 60;
	open_with(&f, pair, &options);
	for (i = 0; i < 20; i++) {
		streams[i] = get(f.pool);
		assert_code(server_echo(streams[i], 1, 10), 0);
	}
	began = now_ns();
	for (i = 0; i < 20; i++)
		assert_code(shmipc_pool_put(f.pool, streams[i]), 1);
	await(!pool_stats_of(f.pool).idle);
	assert_true(now_ns() - began >= 50 * 1000000);
	await(!pool_stats_of(f.pool).taken);
	await(!f.server.streams);
	/* And those that come later too. */
	assert_code(pool_echo(f.pool, 1), 0);
	await(!pool_stats_of(f.pool).idle);
	close_all(&f);
}

static void a_stream_that_its_taker_closes_counts_as_back(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct fixture f;

	open_default(&f, pair);
	stream = get(f.pool);
	assert_int_equal(pool_stats_of(f.pool).taken, 1);
	shmipc_stream_close(stream);
	assert_int_equal(pool_stats_of(f.pool).taken, 0);
	assert_int_equal(pool_stats_of(f.pool).discards, 0);
	close_all(&f);
}

static void put_of_no_stream_does_nothing(struct pair *pair)
{
	struct fixture f;

	open_default(&f, pair);
	assert_code(shmipc_pool_put(f.pool, NULL), 0);
	assert_int_equal(pool_stats_of(f.pool).discards, 0);
	close_all(&f);
}

static void a_stream_of_another_pool_is_closed(struct pair *pair)
{
	struct shmipc_pool *other;
	struct fixture f;

	open_default(&f, pair);
	assert_code(shmipc_pool_create(f.server.address, &f.options, &other), 0);
	assert_code(shmipc_pool_put(other, get(f.pool)), 0);
	assert_int_equal(pool_stats_of(f.pool).taken, 0);
	assert_int_equal(pool_stats_of(other).idle, 0);
	shmipc_pool_close(other);
	close_all(&f);
}

static _Atomic bool held, is_held;

static void hold_up(struct server *server)
{
	(void)server;
	is_held = true;
	while (held)
		sleep_ms(1);
}

struct holding {
	struct server *server;
	struct pair *pair;
};

static void *hold_server(void *argument)
{
	struct holding *holding = argument;

	server_act(holding->server, holding->pair, hold_up);
	return NULL;
}

static void streams_closed_while_the_ring_is_full_end_when_there_is_room(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_stream *streams[20];
	struct holding holding;
	pthread_t thread;
	struct fixture f;
	int i;

	options.session.channel.slots = 16;
	memset(&f, 0, sizeof(f));
	server_start(&f.server, pair, 1, -1);
	assert_code(shmipc_pool_create(f.server.address, &options, &f.pool), 0);
	for (i = 0; i < 20; i++) {
		streams[i] = get(f.pool);
		assert_code(server_echo(streams[i], 1, 10), 0);
	}
	holding = (struct holding){ &f.server, pair };
	held = true;
	is_held = false;
	assert_int_equal(pthread_create(&thread, NULL, hold_server, &holding), 0);
	await(is_held);
	while (shmipc_stream_write(streams[0], "x", 1, 0, 0) > 0)
		;
	for (i = 0; i < 20; i++)
		shmipc_stream_close(streams[i]);
	held = false;
	/* Nobody calls the pool, or waits in its session. */
	await(f.server.ended == 21);
	pthread_join(thread, NULL);
	close_all(&f);
}

static void make_unhealthy(struct shmipc_stream *stream)
{
	store_relaxed(&stream->session->unhealthy_until, SHMIPC_FOREVER);
}

static void get_passes_unhealthy_sessions_over(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_stream *streams[8], *stream;
	struct shmipc_session *ill;
	struct fixture f;
	int i;

	options.sessions = 3;
	open_with(&f, pair, &options);
	stream = get(f.pool);
	ill = shmipc_stream_session(stream);
	make_unhealthy(stream);
	assert_code(shmipc_pool_put(f.pool, stream), 1);
	for (i = 0; i < 8; i++) {
		streams[i] = get(f.pool);
		assert_ptr_not_equal(shmipc_stream_session(streams[i]), ill);
	}
	assert_int_equal(pool_stats_of(f.pool).sessions, 3);
	assert_int_equal(pool_stats_of(f.pool).healthy, 2);
	for (i = 0; i < 8; i++)
		assert_code(shmipc_pool_put(f.pool, streams[i]), 1);
	close_all(&f);
}

static void get_says_so_where_all_sessions_are_unhealthy(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_stream *a, *b, *none = (void *)&none;
	struct fixture f;

	options.sessions = 2;
	open_with(&f, pair, &options);
	a = get(f.pool);
	b = get(f.pool);
	assert_ptr_not_equal(shmipc_stream_session(a), shmipc_stream_session(b));
	make_unhealthy(a);
	make_unhealthy(b);
	assert_code(shmipc_pool_get(f.pool, &none, FAR), -EBUSY);
	assert_null(none);
	store_relaxed(&b->session->unhealthy_until, 0);
	assert_code(pool_echo(f.pool, 1), 0);
	shmipc_stream_close(a);
	shmipc_stream_close(b);
	close_all(&f);
}

static void get_says_so_where_no_session_may_open_more_streams(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_stream *streams[3], *none;
	struct fixture f;
	int i;

	options.session.streams_max = 3;
	open_with(&f, pair, &options);
	for (i = 0; i < 3; i++)
		streams[i] = get(f.pool);
	assert_code(shmipc_pool_get(f.pool, &none, FAR), -EMFILE);
	for (i = 0; i < 3; i++)
		shmipc_stream_close(streams[i]);
	close_all(&f);
}

static void one_thread_that_takes_many_spreads_them_over_all_sessions(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_session *session;
	struct shmipc_stream *streams[40];
	int i, j, same;
	struct fixture f;

	options.sessions = 4;
	open_with(&f, pair, &options);
	for (i = 0; i < 40; i++)
		streams[i] = get(f.pool);
	for (i = 0; i < 40; i++) {
		session = shmipc_stream_session(streams[i]);
		for (same = j = 0; j < 40; j++)
			same += shmipc_stream_session(streams[j]) == session;
		assert_in_range(same, 8, 12);
	}
	for (i = 0; i < 40; i++)
		assert_code(shmipc_pool_put(f.pool, streams[i]), 1);
	close_all(&f);
}

#define TAKERS 100
#define TURNS (TESTS_TSAN ? 200 : 1000)

struct taker {
	struct shmipc_pool *pool;
	pthread_t thread;
	uint32_t number;
	_Atomic int *doubled;
	int failed;
};

/* Takes streams and marks them as its own: nobody else may find the mark. */
static void *take_and_give(void *argument)
{
	struct taker *taker = argument;
	struct shmipc_stream *stream;
	int i;

	for (i = 0; i < TURNS; i++) {
		if (shmipc_pool_get(taker->pool, &stream, FAR)) {
			taker->failed++;
			continue;
		}
		if (shmipc_stream_user(stream))
			++*taker->doubled;
		shmipc_stream_set_user(stream, taker);
		if (i % 100 == 0 && server_echo(stream, taker->number, 64))
			taker->failed++;
		if (shmipc_stream_user(stream) != taker)
			++*taker->doubled;
		shmipc_stream_set_user(stream, NULL);
		if (i % 50 == 49)
			shmipc_stream_close(stream);
		else
			shmipc_pool_put(taker->pool, stream);
	}
	return NULL;
}

static void no_stream_is_lost_or_doubled_where_many_threads_take_and_give(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct taker takers[TAKERS];
	struct shmipc_pool_stats stats;
	_Atomic int doubled = 0;
	struct fixture f;
	int i;

	options.sessions = 4;
	open_with(&f, pair, &options);
	for (i = 0; i < TAKERS; i++) {
		takers[i] = (struct taker){ .pool = f.pool, .number = (uint32_t)i, .doubled = &doubled };
		assert_int_equal(pthread_create(&takers[i].thread, NULL, take_and_give, &takers[i]), 0);
	}
	for (i = 0; i < TAKERS; i++) {
		pthread_join(takers[i].thread, NULL);
		assert_int_equal(takers[i].failed, 0);
	}
	assert_int_equal(doubled, 0);
	stats = pool_stats_of(f.pool);
	assert_int_equal(stats.taken, 0);
	assert_int_equal(stats.hits + stats.opens, TAKERS * TURNS);
	assert_int_equal(stats.idle, stats.opens - stats.discards - TAKERS * (TURNS / 50));
	close_all(&f);
}

static void two_pools_of_one_process_do_not_disturb_each_other(struct pair *pair)
{
	struct shmipc_stream *first, *second;
	struct shmipc_pool *other;
	struct fixture f;
	int i;

	open_default(&f, pair);
	assert_code(shmipc_pool_create(f.server.address, &f.options, &other), 0);
	for (i = 0; i < 3; i++) {
		first = get(f.pool);
		second = get(other);
		assert_ptr_not_equal(shmipc_stream_session(first), shmipc_stream_session(second));
		assert_code(server_echo(first, 1, 100), 0);
		assert_code(server_echo(second, 2, 100), 0);
		assert_code(shmipc_pool_put(f.pool, first), 1);
		assert_code(shmipc_pool_put(other, second), 1);
	}
	shmipc_pool_close(other);
	assert_code(pool_echo(f.pool, 3), 0);
	close_all(&f);
}

static void streams_that_are_out_outlive_the_pool(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct fixture f;
	char byte;

	open_default(&f, pair);
	stream = get(f.pool);
	assert_code(server_echo(stream, 1, 100), 0);
	shmipc_pool_close(f.pool);
	assert_code(shmipc_stream_read(stream, &byte, 1, FAR), -ESHUTDOWN);
	shmipc_stream_close(stream);
	server_stop(&f.server);
}

static void a_pool_where_nobody_listens_is_not_made(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_pool *pool = (void *)&options;
	char address[64];

	server_name(address);
	assert_code(shmipc_pool_create(address, &options, &pool), -ECONNREFUSED);
	assert_null(pool);
	assert_code(shmipc_pool_create("/nowhere/at/all", &options, &pool), -ENOENT);
	assert_null(pool);
}

static void expect_fault(const struct shmipc_pool_options *options, const char *field)
{
	struct shmipc_pool *pool = (void *)&pool;
	char message[200];

	memset(message, 0xa5, sizeof(message));
	assert_code(shmipc_pool_options_check(options, message, sizeof(message)), -EINVAL);
	if (strncmp(message, field, strlen(field)) || message[strlen(field)] != ':')
		fail_msg("\"%s\" does not name %s", message, field);
	assert_code(shmipc_pool_options_check(options, NULL, 0), -EINVAL);
	assert_code(shmipc_pool_create("@nobody", options, &pool), -EINVAL);
	assert_null(pool);
}

#define EXPECT_FAULT(field, value)                                                                                     \
	do {                                                                                                           \
		struct shmipc_pool_options wrong = SHMIPC_POOL_OPTIONS_INIT;                                           \
		wrong.field = value;                                                                                   \
		expect_fault(&wrong, #field);                                                                          \
	} while (0)

static void options_that_are_wrong_are_named(struct pair *pair)
{
	struct shmipc_pool_options options = SHMIPC_POOL_OPTIONS_INIT;
	char message[100] = "x";

	(void)pair;
	assert_code(shmipc_pool_options_check(&options, message, sizeof(message)), 0);
	assert_string_equal(message, "");
	assert_code(shmipc_pool_options_check(NULL, message, sizeof(message)), -EINVAL);
	EXPECT_FAULT(size, 8);
	EXPECT_FAULT(session.window, 1);
	EXPECT_FAULT(sessions, 0);
	EXPECT_FAULT(sessions, 1025);
	EXPECT_FAULT(streams, (1 << 20) + 1);
	EXPECT_FAULT(connect_ms, 0);
	EXPECT_FAULT(connect_ms, 3600001);
	EXPECT_FAULT(retry_min_ms, 0);
	EXPECT_FAULT(retry_min_ms, 3600001);
	EXPECT_FAULT(retry_max_ms, 9);
	EXPECT_FAULT(retry_max_ms, 3600001);
}

static void stats_of_a_size_that_is_not_known_are_refused(struct pair *pair)
{
	struct shmipc_pool_stats stats = { .size = sizeof(stats) + 1 };
	struct fixture f;

	open_default(&f, pair);
	assert_code(shmipc_pool_stats(f.pool, &stats), -EINVAL);
	stats.size = 0;
	assert_code(shmipc_pool_stats(f.pool, &stats), -EINVAL);
	memset(&stats, 0xa5, sizeof(stats));
	stats.size = 2 * sizeof(uint64_t);
	assert_code(shmipc_pool_stats(f.pool, &stats), 0);
	assert_int_equal(stats.sessions, 1);
	assert_int_equal(stats.healthy, 0xa5a5a5a5a5a5a5a5ull);
	close_all(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_stream_that_was_put_is_what_the_next_get_takes),
		ON_BOTH(a_stream_with_unread_bytes_is_not_kept),
		ON_BOTH(a_stream_with_bytes_held_back_is_not_kept),
		ON_BOTH(a_stream_with_an_open_buffer_is_not_kept),
		ON_BOTH(a_stream_with_a_piece_that_was_not_released_is_not_kept),
		ON_BOTH(a_stream_with_callbacks_is_not_kept),
		ON_BOTH(a_stream_that_was_ended_is_not_kept),
		ON_BOTH(a_stream_that_was_reset_is_not_kept),
		ON_BOTH(bytes_that_came_to_an_idle_stream_keep_it_from_being_given_out),
		ON_BOTH(an_idle_stream_that_the_peer_ended_is_not_given_out),
		ON_BOTH(an_idle_stream_that_the_peer_reset_is_not_given_out),
		ON_BOTH(no_more_streams_are_kept_than_the_options_say),
		ON_BOTH(a_pool_that_is_to_keep_none_keeps_none),
		ON_BOTH(idle_streams_that_grow_old_are_closed),
		ON_BOTH(a_stream_that_its_taker_closes_counts_as_back),
		ON_BOTH(streams_closed_while_the_ring_is_full_end_when_there_is_room),
		ON_BOTH(put_of_no_stream_does_nothing),
		ON_BOTH(a_stream_of_another_pool_is_closed),
		ON_BOTH(get_passes_unhealthy_sessions_over),
		ON_BOTH(get_says_so_where_all_sessions_are_unhealthy),
		ON_BOTH(get_says_so_where_no_session_may_open_more_streams),
		ON_BOTH(one_thread_that_takes_many_spreads_them_over_all_sessions),
		ON_BOTH(no_stream_is_lost_or_doubled_where_many_threads_take_and_give),
		ON_BOTH(two_pools_of_one_process_do_not_disturb_each_other),
		ON_BOTH(streams_that_are_out_outlive_the_pool),
		ON_BOTH(a_pool_where_nobody_listens_is_not_made),
		ALONE(options_that_are_wrong_are_named),
		ON_BOTH(stats_of_a_size_that_is_not_known_are_refused),
	};

	return RUN_TESTS(tests, argc, argv);
}
