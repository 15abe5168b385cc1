// SPDX-License-Identifier: Apache-2.0
/*
 * stream_fallback.c - tests of falling back to the control socket: in order with all else, bounded, and seen by the breaker
 */
#include <stdlib.h>
#include <string.h>

#include "session_pair.h"

/* A lane of 64 KB that never grows. */
static struct shmipc_session_options tight_options(const struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);

	options.channel.segment_bytes = 65536;
	options.channel.memory_max = 65536;
	options.breaker_ms = 0;
	return options;
}

static struct ends open_tight(struct pair *pair)
{
	struct shmipc_session_options options = tight_options(pair);

	session_pair_open(pair, &options, &options);
	return ends_open(pair);
}

static void what_does_not_fit_goes_through_the_socket_and_arrives(struct pair *pair)
{
	struct ends ends = open_tight(pair);
	struct shmipc_session_stats near, far;
	uint32_t i;

	for (i = 0; i < 10; i++)
		pattern_write(ends.near, 20000, i);
	near = session_stats_of(pair->client);
	assert_true(near.fallback_sent >= 6);
	assert_true(near.fallback_sent_bytes >= 120000 && near.fallback_sent_bytes <= 200000);
	assert_true(near.exhaustions > 0);
	assert_true(stream_stats_of(ends.near).fallback_sent == near.fallback_sent);
	for (i = 0; i < 10; i++)
		pattern_read(ends.far, 20000, i);
	far = session_stats_of(pair->server);
	assert_int_equal(far.fallback_received, near.fallback_sent);
	assert_int_equal(far.fallback_received_bytes, near.fallback_sent_bytes);
	ends_close(pair, &ends);
	assert_int_equal(session_stats_of(pair->server).private_bytes, 0);
}

static void both_sides_may_fall_back_at_once(struct pair *pair)
{
	struct ends ends = open_tight(pair);
	uint32_t i;

	for (i = 0; i < 6; i++) {
		pattern_write(ends.near, 25000, i);
		pattern_write(ends.far, 25000, i + 100);
	}
	for (i = 0; i < 6; i++) {
		pattern_read(ends.far, 25000, i);
		pattern_read(ends.near, 25000, i + 100);
	}
	assert_true(session_stats_of(pair->client).fallback_sent > 0);
	assert_true(session_stats_of(pair->server).fallback_sent > 0);
	ends_close(pair, &ends);
}

static void a_large_message_arrives_by_whatever_ways(struct pair *pair)
{
	struct ends ends = open_tight(pair);
	static unsigned char out[900000], in[900000];
	struct call call;
	size_t got = 0;
	ssize_t n;

	pattern_fill(out, sizeof(out), 1);
	call_write(&call, ends.near, out, sizeof(out), SHMIPC_FOREVER);
	while (got < sizeof(in) && (n = shmipc_stream_read(ends.far, in + got, sizeof(in) - got, FAR)) > 0)
		got += (size_t)n;
	assert_code(worker_join(&call.worker), sizeof(out));
	assert_memory_equal(in, out, sizeof(in));
	ends_close(pair, &ends);
}

/* Sizes that go inline, in a slice and through the socket, on several streams, read in an order of its own. */
static void every_mix_of_ways_keeps_each_streams_order(struct pair *pair)
{
	static const size_t sizes[] = { 10, 12000, 112, 113, 9000, 1, 5000, 4096, 7000, 2000 };
	const size_t kinds = sizeof(sizes) / sizeof(*sizes);
	struct shmipc_session_options options = tight_options(pair);
	struct ends ends[4];
	uint32_t i, round;

	session_pair_open(pair, &options, &options);
	for (i = 0; i < 4; i++)
		ends[i] = ends_open(pair);
	for (round = 0; round < 12; round++) {
		for (i = 0; i < 40; i++)
			pattern_write(ends[i % 4].near, sizes[(i * 7 + round) % kinds], i + round * 100);
		for (i = 0; i < 40; i++) {
			/* One stream after the other, from the last one. */
			uint32_t stream = 3 - i / 10, number = i % 10 * 4 + stream;

			pattern_read(ends[stream].far, sizes[(number * 7 + round) % kinds], number + round * 100);
		}
	}
	assert_true(session_stats_of(pair->client).fallback_sent > 0);
	for (i = 0; i < 4; i++) {
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	session_pair_await_empty(pair);
}

static void the_same_mix_with_a_lane_that_grows_and_shrinks(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct ends ends[3];
	uint32_t i, round;

	options.channel.segment_bytes = 4096;
	options.channel.memory_max = 131072;
	options.channel.shrink_after_ms = 1;
	options.breaker_ms = 0;
	session_pair_open(pair, &options, &options);
	for (i = 0; i < 3; i++)
		ends[i] = ends_open(pair);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 21; i++)
			pattern_write(ends[i % 3].near, (i * 7919 + round * 104729) % 23000 + 1, i + round * 100);
		for (i = 0; i < 21; i++)
			pattern_read(ends[i % 3].far, (i * 7919 + round * 104729) % 23000 + 1, i + round * 100);
	}
	assert_true(session_stats_of(pair->client).channel.growths > 0);
	assert_true(session_stats_of(pair->client).fallback_sent > 0);
	for (i = 0; i < 3; i++) {
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	session_pair_await_empty(pair);
}

static void a_buffer_that_falls_back_is_received_whole(struct pair *pair)
{
	struct ends ends = open_tight(pair);
	struct shmipc_buffer buffer;
	struct shmipc_piece pieces[5];
	uint32_t i;

	for (i = 0; i < 5; i++) {
		assert_code(shmipc_stream_reserve(ends.near, 30000, &buffer, FAR), 0);
		assert_int_equal((uintptr_t)buffer.data % 16, 0);
		pattern_fill(buffer.data, 30000, i);
		assert_code(shmipc_stream_submit(ends.near, &buffer, 30000, 0, FAR), 0);
	}
	assert_true(stream_stats_of(ends.near).fallback_sent >= 3);
	for (i = 0; i < 5; i++) {
		assert_code(shmipc_stream_receive(ends.far, &pieces[i], FAR), 1);
		assert_int_equal(pieces[i].size, 30000);
		assert_int_equal(pieces[i].last, 1);
		assert_true(pattern_is(pieces[i].data, 30000, i));
	}
	for (i = 0; i < 5; i++) {
		assert_true(pattern_is(pieces[i].data, 30000, i));
		assert_code(shmipc_stream_release(ends.far, &pieces[i]), 0);
	}
	ends_close(pair, &ends);
}

static void a_buffer_that_would_fall_back_can_be_cancelled(struct pair *pair)
{
	struct ends ends = open_tight(pair);
	struct shmipc_buffer buffer;
	int i;

	pattern_write(ends.near, 60000, 1);
	for (i = 0; i < 3; i++) {
		assert_code(shmipc_stream_reserve(ends.near, 50000, &buffer, FAR), 0);
		memset(buffer.data, 1, 50000);
		assert_code(shmipc_stream_cancel(ends.near, &buffer), 0);
	}
	pattern_read(ends.far, 60000, 1);
	pattern_write(ends.near, 100, 2);
	pattern_read(ends.far, 100, 2);
	ends_close(pair, &ends);
}

static void bytes_that_fall_back_count_against_the_window(struct pair *pair)
{
	struct shmipc_session_options options = tight_options(pair);
	struct ends ends;
	size_t total;

	options.window = 300000;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	total = fill_up(ends.near, 10000);
	assert_true(total > 65536 && total <= 300000);
	session_look(pair->server);
	assert_true(session_stats_of(pair->server).private_bytes <= 300000);
	assert_code(shmipc_stream_discard(ends.far, total, FAR), (long long)total);
	ends_close(pair, &ends);
}

static void nothing_overtakes_bytes_in_the_socket(struct pair *pair)
{
	struct ends ends = open_tight(pair);
	uint32_t i;

	/* Large ones fall back; small ones ride in slots behind them. */
	for (i = 0; i < 40; i++)
		pattern_write(ends.near, i % 2 ? 10 : 8000, i);
	assert_true(session_stats_of(pair->client).fallback_sent > 0);
	for (i = 0; i < 40; i++)
		pattern_read(ends.far, i % 2 ? 10 : 8000, i);
	ends_close(pair, &ends);
}

static void close_reset_and_end_find_bytes_in_the_socket_well(struct pair *pair)
{
	struct ends ends = open_tight(pair), other = ends_open(pair), third = ends_open(pair);
	char byte;
	uint32_t i;

	for (i = 0; i < 3; i++) {
		pattern_write(ends.near, 20000, i);
		pattern_write(other.near, 20000, i);
		pattern_write(third.near, 20000, i);
	}
	shmipc_stream_close(ends.near);
	assert_code(shmipc_stream_reset(other.near, 3), 0);
	assert_code(shmipc_stream_end(third.near), 0);
	shmipc_stream_close(other.far);
	for (i = 0; i < 3; i++)
		pattern_read(third.far, 20000, i);
	assert_code(shmipc_stream_read(third.far, &byte, 1, FAR), 0);
	for (i = 0; i < 3; i++)
		pattern_read(ends.far, 20000, i);
	assert_code(shmipc_stream_read(ends.far, &byte, 1, FAR), 0);
	shmipc_stream_close(ends.far);
	shmipc_stream_close(other.near);
	ends_close(pair, &third);
}

/* The reader that opens a stream with bytes in the socket has no queue to put them into yet. */
static void a_stream_whose_first_bytes_fall_back_appears(struct pair *pair)
{
	struct ends ends = open_tight(pair), second;

	pattern_write(ends.near, 60000, 1);
	assert_code(shmipc_stream_open(pair->client, &second.near), 0);
	pattern_write(second.near, 30000, 2);
	assert_true(stream_stats_of(second.near).fallback_sent > 0);
	assert_code(shmipc_session_accept(pair->server, &second.far, FAR), 0);
	pattern_read(second.far, 30000, 2);
	pattern_read(ends.far, 60000, 1);
	shmipc_stream_close(second.near);
	shmipc_stream_close(second.far);
	ends_close(pair, &ends);
}

static void falling_back_opens_the_breaker_and_time_closes_it(struct pair *pair)
{
	struct shmipc_session_options options = tight_options(pair);
	struct shmipc_stream *stream;
	struct ends ends;
	uint32_t i;

	options.breaker_ms = 100;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	assert_int_equal(shmipc_session_is_healthy(pair->client), 1);
	for (i = 0; i < 5; i++)
		pattern_write(ends.near, 20000, i);
	assert_true(session_stats_of(pair->client).fallback_sent > 0);
	assert_int_equal(shmipc_session_is_healthy(pair->client), 0);
	assert_code(shmipc_session_error(pair->client), 0);
	assert_code(shmipc_stream_open(pair->client, &stream), -EBUSY);
	/* Streams that are open go on. */
	for (i = 0; i < 5; i++)
		pattern_read(ends.far, 20000, i);
	pattern_write(ends.far, 10, 1);
	pattern_read(ends.near, 10, 1);
	await(shmipc_session_is_healthy(pair->client));
	assert_code(shmipc_stream_open(pair->client, &stream), 0);
	shmipc_stream_close(stream);
	ends_close(pair, &ends);
}

static void a_breaker_of_0_never_opens(struct pair *pair)
{
	struct ends ends = open_tight(pair);
	struct shmipc_stream *stream;
	uint32_t i;

	for (i = 0; i < 5; i++)
		pattern_write(ends.near, 20000, i);
	assert_true(session_stats_of(pair->client).fallback_sent > 0);
	assert_int_equal(shmipc_session_is_healthy(pair->client), 1);
	assert_code(shmipc_stream_open(pair->client, &stream), 0);
	shmipc_stream_close(stream);
	ends_close(pair, &ends);
}

static void a_full_socket_is_waited_for_like_anything_that_is_full(struct pair *pair)
{
	struct shmipc_session_options options = tight_options(pair);
	struct ends ends[6];
	static char out[30000];
	size_t total[6] = { 0 };
	struct call call;
	ssize_t n;
	int i;

	options.window = 1 << 20;
	session_pair_open(pair, &options, &options);
	for (i = 0; i < 6; i++)
		ends[i] = ends_open(pair);
	/* Nobody reads: lane, socket and windows become full, in some order, and no call blocks. */
	for (i = 0; i < 6; i++)
		while ((n = shmipc_stream_write(ends[i].near, out, sizeof(out), 0, 0)) > 0)
			total[i] += (size_t)n;
	call_write(&call, ends[5].near, out, sizeof(out), SHMIPC_FOREVER);
	for (i = 0; i < 6; i++)
		assert_code(shmipc_stream_discard(ends[i].far, total[i], FAR), (long long)total[i]);
	assert_code(shmipc_stream_discard(ends[5].far, sizeof(out), FAR), sizeof(out));
	assert_code(worker_join(&call.worker), sizeof(out));
	for (i = 0; i < 6; i++) {
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	session_pair_await_empty(pair);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(what_does_not_fit_goes_through_the_socket_and_arrives),
		ON_BOTH(both_sides_may_fall_back_at_once),
		ON_BOTH(a_large_message_arrives_by_whatever_ways),
		ON_BOTH(every_mix_of_ways_keeps_each_streams_order),
		ON_BOTH(the_same_mix_with_a_lane_that_grows_and_shrinks),
		ON_BOTH(a_buffer_that_falls_back_is_received_whole),
		ON_BOTH(a_buffer_that_would_fall_back_can_be_cancelled),
		ON_BOTH(bytes_that_fall_back_count_against_the_window),
		ON_BOTH(nothing_overtakes_bytes_in_the_socket),
		ON_BOTH(close_reset_and_end_find_bytes_in_the_socket_well),
		ON_BOTH(a_stream_whose_first_bytes_fall_back_appears),
		ON_BOTH(falling_back_opens_the_breaker_and_time_closes_it),
		ON_BOTH(a_breaker_of_0_never_opens),
		ON_BOTH(a_full_socket_is_waited_for_like_anything_that_is_full),
	};

	return RUN_TESTS(tests, argc, argv);
}
