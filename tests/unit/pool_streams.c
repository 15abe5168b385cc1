// SPDX-License-Identifier: Apache-2.0
/*
 * pool_streams.c - tests of taking streams from a pool and giving them back: what is kept, and what is not
 */
#include <pthread.h>
#include <string.h>

#include "pooled.h"

static void a_stream_that_was_put_is_what_the_next_get_takes(struct pair *pair)
{
	struct shmipc_pool_stats stats;
	struct shmipc_stream *stream;
	struct pooled f;

	pooled_open(&f, pair);
	stream = pooled_get(f.pool);
	assert_code(server_echo(stream, 1, 100), 0);
	shmipc_stream_set_user(stream, &f);
	assert_code(shmipc_pool_put(f.pool, stream), 1);
	assert_ptr_equal(pooled_get(f.pool), stream);
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
	pooled_close(&f);
}

/* Put says that it was closed, and the next get opens another one. */
static void expect_discard(struct pooled *f, struct shmipc_stream *stream)
{
	uint64_t discards = pool_stats_of(f->pool).discards, opens = pool_stats_of(f->pool).opens;

	assert_code(shmipc_pool_put(f->pool, stream), 0);
	assert_int_equal(pool_stats_of(f->pool).discards, discards + 1);
	stream = pooled_get(f->pool);
	assert_int_equal(pool_stats_of(f->pool).opens, opens + 1);
	shmipc_stream_close(stream);
	assert_int_equal(pool_stats_of(f->pool).taken, 0);
	assert_int_equal(pool_stats_of(f->pool).idle, 0);
}

static void a_stream_with_unread_bytes_is_not_kept(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct pooled f;

	pooled_open(&f, pair);
	stream = pooled_get(f.pool);
	assert_code(shmipc_stream_write(stream, "abc", 3, 0, FAR), 3);
	assert_code(shmipc_stream_wait(stream, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	expect_discard(&f, stream);
	pooled_close(&f);
}

static void a_stream_with_bytes_held_back_is_not_kept(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct pooled f;

	pooled_open(&f, pair);
	stream = pooled_get(f.pool);
	assert_code(shmipc_stream_write(stream, "abc", 3, SHMIPC_MORE, FAR), 3);
	expect_discard(&f, stream);
	pooled_close(&f);
}

static void a_stream_with_an_open_buffer_is_not_kept(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct shmipc_buffer buffer;
	struct pooled f;

	pooled_open(&f, pair);
	stream = pooled_get(f.pool);
	assert_code(shmipc_stream_reserve(stream, 1000, &buffer, FAR), 0);
	expect_discard(&f, stream);
	pooled_close(&f);
}

static void a_stream_with_a_piece_that_was_not_released_is_not_kept(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct shmipc_piece piece;
	struct pooled f;

	pooled_open(&f, pair);
	stream = pooled_get(f.pool);
	assert_code(shmipc_stream_write(stream, "abc", 3, 0, FAR), 3);
	assert_code(shmipc_stream_receive(stream, &piece, FAR), 1);
	expect_discard(&f, stream);
	pooled_close(&f);
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
	struct pooled f;

	pooled_open(&f, pair);
	stream = pooled_get(f.pool);
	assert_code(shmipc_stream_set_callbacks(stream, &callbacks, NULL), 0);
	expect_discard(&f, stream);
	pooled_close(&f);
}

static void a_stream_that_was_ended_is_not_kept(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct pooled f;

	pooled_open(&f, pair);
	stream = pooled_get(f.pool);
	assert_code(shmipc_stream_end(stream), 0);
	expect_discard(&f, stream);
	pooled_close(&f);
}

static void a_stream_that_was_reset_is_not_kept(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct pooled f;

	pooled_open(&f, pair);
	stream = pooled_get(f.pool);
	assert_code(shmipc_stream_reset(stream, 7), 0);
	expect_discard(&f, stream);
	pooled_close(&f);
}

/* While it was idle, the peer did something to a stream: it is not given out again. */
static void expect_spoilt_while_idle(struct pair *pair, void (*spoil)(struct server *server))
{
	struct shmipc_stream *stream;
	struct pooled f;
	uint32_t id;

	memset(&f, 0, sizeof(f));
	f.options = pool_options(pair);
	server_start(&f.server, pair, 1, -1);
	assert_code(shmipc_pool_create(f.server.address, &f.options, &f.pool), 0);
	stream = pooled_get(f.pool);
	id = shmipc_stream_id(stream);
	assert_code(server_echo(stream, 1, 100), 0);
	assert_code(shmipc_pool_put(f.pool, stream), 1);
	server_act(&f.server, pair, spoil);
	stream = pooled_get(f.pool);
	assert_int_not_equal(shmipc_stream_id(stream), id);
	assert_code(server_echo(stream, 2, 100), 0);
	assert_int_equal(pool_stats_of(f.pool).hits, 0);
	assert_int_equal(pool_stats_of(f.pool).taken, 1);
	assert_code(shmipc_pool_put(f.pool, stream), 1);
	pooled_close(&f);
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
	struct pooled f;
	int i, kept = 0;

	options.streams = 33;
	pooled_open_with(&f, pair, &options);
	for (i = 0; i < 40; i++)
		streams[i] = pooled_get(f.pool);
	for (i = 0; i < 40; i++)
		kept += shmipc_pool_put(f.pool, streams[i]);
	assert_int_equal(kept, 33);
	assert_int_equal(pool_stats_of(f.pool).idle, 33);
	assert_int_equal(pool_stats_of(f.pool).discards, 7);
	pooled_close(&f);
}

static void a_pool_that_is_to_keep_none_keeps_none(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct pooled f;

	options.streams = 0;
	pooled_open_with(&f, pair, &options);
	assert_code(shmipc_pool_put(f.pool, pooled_get(f.pool)), 0);
	assert_code(pool_echo(f.pool, 1), 0);
	pooled_close(&f);
}

static void idle_streams_that_grow_old_are_closed(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_stream *streams[20];
	int64_t began;
	struct pooled f;
	int i;

	options.idle_ms = 60;
	pooled_open_with(&f, pair, &options);
	for (i = 0; i < 20; i++) {
		streams[i] = pooled_get(f.pool);
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
	pooled_close(&f);
}

static void a_stream_that_its_taker_closes_counts_as_back(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct pooled f;

	pooled_open(&f, pair);
	stream = pooled_get(f.pool);
	assert_int_equal(pool_stats_of(f.pool).taken, 1);
	shmipc_stream_close(stream);
	assert_int_equal(pool_stats_of(f.pool).taken, 0);
	assert_int_equal(pool_stats_of(f.pool).discards, 0);
	pooled_close(&f);
}

static void put_of_no_stream_does_nothing(struct pair *pair)
{
	struct pooled f;

	pooled_open(&f, pair);
	assert_code(shmipc_pool_put(f.pool, NULL), 0);
	assert_int_equal(pool_stats_of(f.pool).discards, 0);
	pooled_close(&f);
}

static void a_stream_of_another_pool_is_closed(struct pair *pair)
{
	struct shmipc_pool *other;
	struct pooled f;

	pooled_open(&f, pair);
	assert_code(shmipc_pool_create(f.server.address, &f.options, &other), 0);
	assert_code(shmipc_pool_put(other, pooled_get(f.pool)), 0);
	assert_int_equal(pool_stats_of(f.pool).taken, 0);
	assert_int_equal(pool_stats_of(other).idle, 0);
	shmipc_pool_close(other);
	pooled_close(&f);
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
	struct pooled f;
	int i;

	options.session.channel.slots = 16;
	memset(&f, 0, sizeof(f));
	server_start(&f.server, pair, 1, -1);
	assert_code(shmipc_pool_create(f.server.address, &options, &f.pool), 0);
	for (i = 0; i < 20; i++) {
		streams[i] = pooled_get(f.pool);
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
	pooled_close(&f);
}

static void streams_that_are_out_outlive_the_pool(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct pooled f;
	char byte;

	pooled_open(&f, pair);
	stream = pooled_get(f.pool);
	assert_code(server_echo(stream, 1, 100), 0);
	shmipc_pool_close(f.pool);
	assert_code(shmipc_stream_read(stream, &byte, 1, FAR), -ESHUTDOWN);
	shmipc_stream_close(stream);
	server_stop(&f.server);
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
		ON_BOTH(put_of_no_stream_does_nothing),
		ON_BOTH(a_stream_of_another_pool_is_closed),
		ON_BOTH(streams_closed_while_the_ring_is_full_end_when_there_is_room),
		ON_BOTH(streams_that_are_out_outlive_the_pool),
	};

	return RUN_TESTS(tests, argc, argv);
}
