// SPDX-License-Identifier: Apache-2.0
/*
 * pool_choice.c - tests of which session a pool takes a stream from, with many threads, and where none is fit
 */
#include <pthread.h>

#include "pooled.h"
#include "session/internal.h"

static void make_unhealthy(struct shmipc_stream *stream)
{
	store_relaxed(&stream->session->unhealthy_until, SHMIPC_FOREVER);
}

static void get_passes_unhealthy_sessions_over(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_stream *streams[8], *stream;
	struct shmipc_session *ill;
	struct pooled f;
	int i;

	options.sessions = 3;
	pooled_open_with(&f, pair, &options);
	stream = pooled_get(f.pool);
	ill = shmipc_stream_session(stream);
	make_unhealthy(stream);
	assert_code(shmipc_pool_put(f.pool, stream), 1);
	for (i = 0; i < 8; i++) {
		streams[i] = pooled_get(f.pool);
		assert_ptr_not_equal(shmipc_stream_session(streams[i]), ill);
	}
	assert_int_equal(pool_stats_of(f.pool).sessions, 3);
	assert_int_equal(pool_stats_of(f.pool).healthy, 2);
	for (i = 0; i < 8; i++)
		assert_code(shmipc_pool_put(f.pool, streams[i]), 1);
	pooled_close(&f);
}

static void get_says_so_where_all_sessions_are_unhealthy(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_stream *a, *b, *none = (void *)&none;
	struct pooled f;

	options.sessions = 2;
	pooled_open_with(&f, pair, &options);
	a = pooled_get(f.pool);
	b = pooled_get(f.pool);
	assert_ptr_not_equal(shmipc_stream_session(a), shmipc_stream_session(b));
	make_unhealthy(a);
	make_unhealthy(b);
	assert_code(shmipc_pool_get(f.pool, &none, FAR), -EBUSY);
	assert_null(none);
	store_relaxed(&b->session->unhealthy_until, 0);
	assert_code(pool_echo(f.pool, 1), 0);
	shmipc_stream_close(a);
	shmipc_stream_close(b);
	pooled_close(&f);
}

static void get_says_so_where_no_session_may_open_more_streams(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_stream *streams[3], *none;
	struct pooled f;
	int i;

	options.session.streams_max = 3;
	pooled_open_with(&f, pair, &options);
	for (i = 0; i < 3; i++)
		streams[i] = pooled_get(f.pool);
	assert_code(shmipc_pool_get(f.pool, &none, FAR), -EMFILE);
	for (i = 0; i < 3; i++)
		shmipc_stream_close(streams[i]);
	pooled_close(&f);
}

static void one_thread_that_takes_many_spreads_them_over_all_sessions(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_session *session;
	struct shmipc_stream *streams[40];
	int i, j, same;
	struct pooled f;

	options.sessions = 4;
	pooled_open_with(&f, pair, &options);
	for (i = 0; i < 40; i++)
		streams[i] = pooled_get(f.pool);
	for (i = 0; i < 40; i++) {
		session = shmipc_stream_session(streams[i]);
		for (same = j = 0; j < 40; j++)
			same += shmipc_stream_session(streams[j]) == session;
		assert_in_range(same, 8, 12);
	}
	for (i = 0; i < 40; i++)
		assert_code(shmipc_pool_put(f.pool, streams[i]), 1);
	pooled_close(&f);
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
	struct pooled f;
	int i;

	options.sessions = 4;
	pooled_open_with(&f, pair, &options);
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
	pooled_close(&f);
}

static void two_pools_of_one_process_do_not_disturb_each_other(struct pair *pair)
{
	struct shmipc_stream *first, *second;
	struct shmipc_pool *other;
	struct pooled f;
	int i;

	pooled_open(&f, pair);
	assert_code(shmipc_pool_create(f.server.address, &f.options, &other), 0);
	for (i = 0; i < 3; i++) {
		first = pooled_get(f.pool);
		second = pooled_get(other);
		assert_ptr_not_equal(shmipc_stream_session(first), shmipc_stream_session(second));
		assert_code(server_echo(first, 1, 100), 0);
		assert_code(server_echo(second, 2, 100), 0);
		assert_code(shmipc_pool_put(f.pool, first), 1);
		assert_code(shmipc_pool_put(other, second), 1);
	}
	shmipc_pool_close(other);
	assert_code(pool_echo(f.pool, 3), 0);
	pooled_close(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(get_passes_unhealthy_sessions_over),
		ON_BOTH(get_says_so_where_all_sessions_are_unhealthy),
		ON_BOTH(get_says_so_where_no_session_may_open_more_streams),
		ON_BOTH(one_thread_that_takes_many_spreads_them_over_all_sessions),
		ON_BOTH(no_stream_is_lost_or_doubled_where_many_threads_take_and_give),
		ON_BOTH(two_pools_of_one_process_do_not_disturb_each_other),
	};

	return RUN_TESTS(tests, argc, argv);
}
