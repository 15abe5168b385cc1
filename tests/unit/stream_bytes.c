// SPDX-License-Identifier: Apache-2.0
/*
 * stream_bytes.c - tests of a stream as bytes: write, writev, read, readv, peek and discard, in all sizes
 */
#include <stdlib.h>
#include <string.h>

#include "session_pair.h"

/* More than three of the parts that a copying write is published in. */
#define MOST (100 << 10)

static struct ends open_one(struct pair *pair)
{
	session_pair_open(pair, NULL, NULL);
	return ends_open(pair);
}

/* Sizes from 0 to three parts and more: all small ones, and those around every edge. Returns -1 after the last. */
static ssize_t next_size(ssize_t size)
{
	static const ssize_t edges[] = { 4096, 32768, 65536, 98304, MOST };
	size_t i;

	if (size < 300)
		return size + 1;
	for (i = 0; i < sizeof(edges) / sizeof(*edges); i++) {
		if (size < edges[i] - 2)
			return edges[i] - 2;
		if (size < edges[i] + 2 && edges[i] < MOST)
			return size + 1;
	}
	return -1;
}

static void every_size_arrives_whole(struct pair *pair)
{
	struct ends ends = open_one(pair);
	uint32_t tag = 0;
	ssize_t size;

	for (size = 1; size >= 0; size = next_size(size)) {
		pattern_write(ends.near, (size_t)size, tag);
		pattern_read(ends.far, (size_t)size, tag++);
	}
	assert_code(shmipc_stream_read(ends.far, &tag, 1, 0), -EAGAIN);
	ends_close(pair, &ends);
}

static void every_size_is_read_in_pieces_of_every_size(struct pair *pair)
{
	static const size_t steps[] = { 1, 7, 111, 113, 4096, 32769 };
	static unsigned char data[MOST];
	struct ends ends = open_one(pair);
	size_t i, got;
	ssize_t size, n;

	for (size = 90; size >= 0; size = next_size(size + 90)) {
		for (i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			pattern_write(ends.near, (size_t)size, (uint32_t)i);
			for (got = 0; got < (size_t)size; got += (size_t)n) {
				size_t most = steps[i] < (size_t)size - got ? steps[i] : (size_t)size - got;

				n = shmipc_stream_read(ends.far, data + got, most, FAR);
				assert_true(n > 0 && (size_t)n <= most);
			}
			assert_true(pattern_is(data, (size_t)size, (uint32_t)i));
		}
	}
	ends_close(pair, &ends);
}

static void bytes_written_one_by_one_arrive_in_order(struct pair *pair)
{
	struct ends ends = open_one(pair);
	unsigned char data[200], got[300];
	size_t i, n = 0;

	pattern_fill(data, sizeof(data), 3);
	for (i = 0; i < sizeof(data); i++)
		assert_code(shmipc_stream_write(ends.near, data + i, 1, 0, FAR), 1);
	while (n < sizeof(data)) {
		ssize_t r = shmipc_stream_read(ends.far, got + n, sizeof(got) - n, FAR);

		assert_true(r > 0);
		n += (size_t)r;
	}
	assert_memory_equal(got, data, sizeof(data));
	ends_close(pair, &ends);
}

static void read_returns_at_least_one_byte_and_at_most_what_is_asked_for(struct pair *pair)
{
	struct ends ends = open_one(pair);
	unsigned char got[10];

	memset(got, 0x5a, sizeof(got));
	pattern_write(ends.near, 5, 1);
	assert_code(shmipc_stream_read(ends.far, got, 0, FAR), 0);
	assert_code(shmipc_stream_read(ends.far, got, 3, FAR), 3);
	assert_int_equal(got[3], 0x5a);
	assert_code(shmipc_stream_read(ends.far, got + 3, 7, FAR), 2);
	assert_true(pattern_is(got, 5, 1));
	assert_int_equal(got[5], 0x5a);
	ends_close(pair, &ends);
}

static void a_read_of_nothing_is_0_even_where_nothing_is_there(struct pair *pair)
{
	struct ends ends = open_one(pair);

	assert_code(shmipc_stream_read(ends.far, NULL, 0, FAR), 0);
	assert_code(shmipc_stream_readv(ends.far, NULL, 0, FAR), 0);
	assert_code(shmipc_stream_discard(ends.far, 0, FAR), 0);
	ends_close(pair, &ends);
}

static void bytes_wrap_around_the_ring_many_times(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct ends ends;
	uint32_t i;

	options.channel.slots = 16;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	for (i = 0; i < 2000; i++) {
		pattern_write(ends.near, i % 200 + 1, i);
		pattern_write(ends.far, i % 50 + 1, i);
		pattern_read(ends.near, i % 50 + 1, i);
		pattern_read(ends.far, i % 200 + 1, i);
	}
	ends_close(pair, &ends);
}

static void hundreds_of_messages_pass_a_ring_of_16_slots(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	static char data[500 * 4];
	struct ends ends;
	struct call call;
	int i;

	options.channel.slots = 16;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	call_read(&call, ends.far, data, 1, SHMIPC_FOREVER);
	for (i = 0; i < 500; i++) {
		if (i == 1)
			assert_code(worker_join(&call.worker), 1);
		if (i >= 1) /* the peer takes some now and then, else there would be no room */
			assert_true(shmipc_stream_read(ends.far, data, 40, 0) != 0);
		assert_code(shmipc_stream_write(ends.near, "four", 4, 0, FAR), 4);
	}
	assert_code(shmipc_stream_end(ends.near), 0);
	while (shmipc_stream_read(ends.far, data, sizeof(data), FAR) > 0)
		;
	assert_int_equal(stream_stats_of(ends.far).bytes_read, 500 * 4 + 1);
	ends_close(pair, &ends);
}

static void writev_gathers_and_readv_scatters(struct pair *pair)
{
	static unsigned char out[MOST], in[MOST + 64];
	struct ends ends = open_one(pair);
	struct iovec places[4];
	ssize_t size, n;
	size_t got;

	for (size = 17; size >= 0; size = next_size(size + 40)) {
		size_t third = (size_t)size / 3;

		pattern_fill(out, (size_t)size, (uint32_t)size);
		places[0] = (struct iovec){ out, third };
		places[1] = (struct iovec){ NULL, 0 };
		places[2] = (struct iovec){ out + third, 1 };
		places[3] = (struct iovec){ out + third + 1, (size_t)size - third - 1 };
		assert_code(shmipc_stream_writev(ends.near, places, 4, 0, FAR), size);
		memset(in, 0x5a, sizeof(in));
		for (got = 0; got < (size_t)size; got += (size_t)n) {
			size_t left = (size_t)size - got;

			places[0] = (struct iovec){ in + got, left / 2 };
			places[1] = (struct iovec){ in + got + left / 2, 0 };
			places[2] = (struct iovec){ in + got + left / 2, left - left / 2 };
			n = shmipc_stream_readv(ends.far, places, 3, FAR);
			assert_true(n > 0 && (size_t)n <= left);
		}
		assert_true(pattern_is(in, (size_t)size, (uint32_t)size));
		assert_int_equal(in[size], 0x5a);
	}
	ends_close(pair, &ends);
}

static void a_thousand_places_are_taken_and_more_are_einval(struct pair *pair)
{
	struct ends ends = open_one(pair);
	static struct iovec places[1025];
	static char in[1024];
	int i;

	for (i = 0; i < 1025; i++)
		places[i] = (struct iovec){ (void *)"v", 1 };
	assert_code(shmipc_stream_writev(ends.near, places, 1025, 0, FAR), -EINVAL);
	assert_code(shmipc_stream_writev(ends.near, places, -1, 0, FAR), -EINVAL);
	assert_code(shmipc_stream_readv(ends.near, places, 1025, 0), -EINVAL);
	assert_code(shmipc_stream_readv(ends.near, places, -1, 0), -EINVAL);
	assert_code(shmipc_stream_writev(ends.near, places, 1024, 0, FAR), 1024);
	for (i = 0; i < 1024; i++)
		places[i] = (struct iovec){ in + i, 1 };
	assert_code(shmipc_stream_readv(ends.far, places, 1024, FAR), 1024);
	assert_int_equal(in[0], 'v');
	assert_int_equal(in[1023], 'v');
	ends_close(pair, &ends);
}

static void sizes_whose_sum_overflows_are_einval(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct iovec places[2] = { { (void *)"x", SIZE_MAX / 2 }, { (void *)"x", SIZE_MAX / 2 + 2 } };

	assert_code(shmipc_stream_writev(ends.near, places, 2, 0, FAR), -EINVAL);
	pattern_write(ends.near, 10, 1);
	pattern_read(ends.far, 10, 1);
	ends_close(pair, &ends);
}

static void unknown_flags_are_einval(struct pair *pair)
{
	struct ends ends = open_one(pair);
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		if ((1u << bit) & (SHMIPC_MORE | SHMIPC_END | SHMIPC_LAZY))
			continue;
		assert_code(shmipc_stream_write(ends.near, "x", 1, 1u << bit, 0), -EINVAL);
	}
	assert_code(shmipc_stream_write(ends.near, "x", 1, SHMIPC_MORE | SHMIPC_END, 0), -EINVAL);
	assert_code(shmipc_stream_read(ends.far, &bit, 1, 0), -EAGAIN);
	ends_close(pair, &ends);
}

static void bytes_held_back_travel_with_the_next_ones(struct pair *pair)
{
	struct ends ends = open_one(pair);
	uint64_t sent = stream_stats_of(ends.near).messages_sent;
	char in[40];

	assert_code(shmipc_stream_write(ends.near, "he", 2, SHMIPC_MORE, FAR), 2);
	assert_code(shmipc_stream_write(ends.near, "ld ", 3, SHMIPC_MORE, FAR), 3);
	assert_code(shmipc_stream_write(ends.near, "back", 4, 0, FAR), 4);
	assert_int_equal(stream_stats_of(ends.near).messages_sent, sent + 1);
	assert_code(shmipc_stream_read(ends.far, in, sizeof(in), FAR), 9);
	assert_memory_equal(in, "held back", 9);
	ends_close(pair, &ends);
}

static void flush_and_a_write_of_nothing_send_what_is_held_back(struct pair *pair)
{
	struct ends ends = open_one(pair);
	char in[40];

	assert_code(shmipc_stream_flush(ends.near, FAR), 0);
	assert_code(shmipc_stream_write(ends.near, "one", 3, SHMIPC_MORE, FAR), 3);
	assert_code(shmipc_stream_flush(ends.near, FAR), 0);
	assert_code(shmipc_stream_read(ends.far, in, sizeof(in), FAR), 3);
	assert_code(shmipc_stream_write(ends.near, "two!", 4, SHMIPC_MORE, FAR), 4);
	assert_code(shmipc_stream_write(ends.near, NULL, 0, 0, FAR), 0);
	assert_code(shmipc_stream_read(ends.far, in, sizeof(in), FAR), 4);
	assert_memory_equal(in, "two!", 4);
	ends_close(pair, &ends);
}

static void much_that_is_held_back_is_not_held_back_for_ever(struct pair *pair)
{
	struct ends ends = open_one(pair);
	static unsigned char out[3 << 20], in[3 << 20];
	size_t written = 0, got = 0, step = 1;
	ssize_t n;

	pattern_fill(out, sizeof(out), 1);
	while (written < sizeof(out)) {
		size_t size = step < sizeof(out) - written ? step : sizeof(out) - written;

		n = shmipc_stream_write(ends.near, out + written, size, SHMIPC_MORE, 0);
		assert_true(n > 0 || n == -EAGAIN);
		written += n > 0 ? (size_t)n : 0;
		step = step * 5 % 70001;
		n = shmipc_stream_read(ends.far, in + got, sizeof(in) - got, 0);
		assert_true(n > 0 || n == -EAGAIN);
		got += n > 0 ? (size_t)n : 0;
	}
	assert_true(got > sizeof(out) / 2);
	assert_code(shmipc_stream_end(ends.near), 0);
	while ((n = shmipc_stream_read(ends.far, in + got, sizeof(in) - got, FAR)) > 0)
		got += (size_t)n;
	assert_int_equal(got, sizeof(out));
	assert_true(pattern_is(in, sizeof(in), 1));
	ends_close(pair, &ends);
}

static void peek_shows_bytes_and_takes_none(struct pair *pair)
{
	struct ends ends = open_one(pair);
	const void *data;
	ssize_t size;
	uint32_t tag = 0;

	for (size = 1; size >= 0; size = next_size(size)) {
		pattern_write(ends.near, (size_t)size, tag);
		assert_true(shmipc_stream_peek(ends.far, 1, &data, FAR) >= 1);
		assert_int_equal(shmipc_stream_peek(ends.far, (size_t)size, &data, FAR), size);
		assert_true(pattern_is(data, (size_t)size, tag));
		assert_int_equal(shmipc_stream_peek(ends.far, (size_t)size, &data, 0), size);
		assert_true(pattern_is(data, (size_t)size, tag));
		pattern_read(ends.far, (size_t)size, tag++);
	}
	ends_close(pair, &ends);
}

static void peek_joins_what_arrived_in_many_pieces(struct pair *pair)
{
	struct ends ends = open_one(pair);
	static unsigned char out[200000];
	const void *data = NULL;
	size_t at = 0, i;

	pattern_fill(out, sizeof(out), 9);
	for (i = 0; at < sizeof(out); i++) {
		size_t size = i * 37 % 9000 + 1;

		size = size < sizeof(out) - at ? size : sizeof(out) - at;
		assert_code(shmipc_stream_write(ends.near, out + at, size, 0, FAR), (long long)size);
		at += size;
	}
	assert_true(shmipc_stream_peek(ends.far, 5, &data, FAR) >= 5);
	assert_true(shmipc_stream_peek(ends.far, 150000, &data, FAR) >= 150000);
	assert_memory_equal(data, out, 150000);
	assert_code(shmipc_stream_discard(ends.far, 1000, FAR), 1000);
	assert_true(shmipc_stream_peek(ends.far, 150000, &data, FAR) >= 150000);
	assert_memory_equal(data, out + 1000, 150000);
	assert_int_equal(stream_stats_of(ends.far).bytes_read, 1000 + 1);
	assert_code(shmipc_stream_discard(ends.far, 199000, FAR), 199000);
	ends_close(pair, &ends);
}

static void peek_waits_for_all_that_is_asked_for_but_at_the_end(struct pair *pair)
{
	struct ends ends = open_one(pair);
	const void *data;

	pattern_write(ends.near, 10, 1);
	assert_code(shmipc_stream_peek(ends.far, 11, &data, 0), -EAGAIN);
	assert_code(shmipc_stream_peek(ends.far, 11, &data, soon(5)), -ETIMEDOUT);
	assert_code(shmipc_stream_end(ends.near), 0);
	assert_code(shmipc_stream_peek(ends.far, 11, &data, FAR), 10);
	assert_true(pattern_is(data, 10, 1));
	pattern_read(ends.far, 10, 1);
	assert_code(shmipc_stream_peek(ends.far, 11, &data, FAR), 0);
	ends_close(pair, &ends);
}

static void peek_of_nothing_or_of_more_than_half_the_window_is_einval(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct ends ends;
	const void *data;

	options.window = 8192;
	session_pair_open(pair, NULL, &options);
	ends = ends_open(pair);
	assert_code(shmipc_stream_peek(ends.far, 0, &data, 0), -EINVAL);
	assert_code(shmipc_stream_peek(ends.far, 4097, &data, 0), -EINVAL);
	assert_code(shmipc_stream_peek(ends.far, SIZE_MAX, &data, 0), -EINVAL);
	assert_code(shmipc_stream_peek(ends.far, 4096, &data, 0), -EAGAIN);
	ends_close(pair, &ends);
}

static void half_the_window_can_always_be_peeked_whole(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct ends ends;
	struct call call;
	static char out[2][20000];
	const void *data;

	options.window = 20000;
	session_pair_open(pair, NULL, &options);
	ends = ends_open(pair);
	/* In bytes one by one, of which each has its charge. */
	pattern_fill(out[0], 20000, 1);
	fill_up(ends.near, 1);
	assert_true(shmipc_stream_discard(ends.far, 3, FAR) > 0);
	call_write(&call, ends.near, out[0], sizeof(out[0]), SHMIPC_FOREVER);
	assert_true(shmipc_stream_peek(ends.far, 10000, &data, FAR) >= 10000);
	while (!call.worker.over)
		shmipc_stream_discard(ends.far, sizeof(out[0]), soon(5));
	assert_code(worker_join(&call.worker), sizeof(out[0]));
	ends_close(pair, &ends);
}

static void discard_drops_across_pieces_and_stops_at_the_end(struct pair *pair)
{
	struct ends ends = open_one(pair);
	unsigned char in[10];

	pattern_write(ends.near, 100, 1);
	pattern_write(ends.near, 50000, 2);
	pattern_write(ends.near, 100, 3);
	assert_code(shmipc_stream_discard(ends.far, 60, FAR), 60);
	assert_code(shmipc_stream_discard(ends.far, 50040, FAR), 50040);
	assert_code(shmipc_stream_read(ends.far, in, 10, FAR), 10);
	assert_true(pattern_is(in, 10, 3));
	assert_code(shmipc_stream_discard(ends.far, 200, 0), 90);
	assert_code(shmipc_stream_discard(ends.far, 200, 0), -EAGAIN);
	pattern_write(ends.near, 70, 4);
	assert_code(shmipc_stream_discard(ends.far, 200, soon(5)), 70);
	assert_code(shmipc_stream_discard(ends.far, 200, soon(5)), -ETIMEDOUT);
	pattern_write(ends.near, 70, 4);
	assert_code(shmipc_stream_end(ends.near), 0);
	assert_code(shmipc_stream_discard(ends.far, 200, FAR), 70);
	assert_code(shmipc_stream_discard(ends.far, 200, FAR), 0);
	ends_close(pair, &ends);
}

static void many_megabytes_pass_whole(struct pair *pair)
{
	const size_t size = TESTS_TSAN ? 5 << 20 : 20 << 20;
	struct ends ends = open_one(pair);
	unsigned char *out = malloc(size), *in = malloc(size);
	struct call call;
	size_t got = 0;
	ssize_t n;

	assert_non_null(out);
	assert_non_null(in);
	pattern_fill(out, size, 6);
	call_write(&call, ends.near, out, size, SHMIPC_FOREVER);
	while (got < size && (n = shmipc_stream_read(ends.far, in + got, size - got, FAR)) > 0)
		got += (size_t)n;
	assert_code(worker_join(&call.worker), (long long)size);
	assert_int_equal(got, size);
	assert_memory_equal(in, out, size);
	free(out);
	free(in);
	ends_close(pair, &ends);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(every_size_arrives_whole),
		ON_BOTH(every_size_is_read_in_pieces_of_every_size),
		ON_BOTH(bytes_written_one_by_one_arrive_in_order),
		ON_BOTH(read_returns_at_least_one_byte_and_at_most_what_is_asked_for),
		ON_BOTH(a_read_of_nothing_is_0_even_where_nothing_is_there),
		ON_BOTH(bytes_wrap_around_the_ring_many_times),
		ON_BOTH(hundreds_of_messages_pass_a_ring_of_16_slots),
		ON_BOTH(writev_gathers_and_readv_scatters),
		ON_BOTH(a_thousand_places_are_taken_and_more_are_einval),
		ON_BOTH(sizes_whose_sum_overflows_are_einval),
		ON_BOTH(unknown_flags_are_einval),
		ON_BOTH(bytes_held_back_travel_with_the_next_ones),
		ON_BOTH(flush_and_a_write_of_nothing_send_what_is_held_back),
		ON_BOTH(much_that_is_held_back_is_not_held_back_for_ever),
		ON_BOTH(peek_shows_bytes_and_takes_none),
		ON_BOTH(peek_joins_what_arrived_in_many_pieces),
		ON_BOTH(peek_waits_for_all_that_is_asked_for_but_at_the_end),
		ON_BOTH(peek_of_nothing_or_of_more_than_half_the_window_is_einval),
		ON_BOTH(half_the_window_can_always_be_peeked_whole),
		ON_BOTH(discard_drops_across_pieces_and_stops_at_the_end),
		ON_BOTH(many_megabytes_pass_whole),
	};

	return RUN_TESTS(tests, argc, argv);
}
