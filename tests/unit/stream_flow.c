// SPDX-License-Identifier: Apache-2.0
/*
 * stream_flow.c - tests of what bounds a writer: the peer's window, its private memory, the ring and the lane; and of who
 * waits for which of them
 */
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"
#include "session_pair.h"

#define WINDOW 65536

static struct ends open_narrow(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);

	options.window = WINDOW;
	session_pair_open(pair, &options, &options);
	return ends_open(pair);
}

static void no_more_than_the_window_is_under_way(struct pair *pair)
{
	static const size_t sizes[] = { 1, 112, 113, 1000, 5000, 60000 };
	struct ends ends = open_narrow(pair);
	size_t i, total;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		total = fill_up(ends.near, sizes[i]);
		assert_true(total > 0 && total <= WINDOW);
		assert_true(stream_stats_of(ends.near).in_flight <= WINDOW);
		assert_code(shmipc_stream_discard(ends.far, total, FAR), (long long)total);
		await((session_look(pair->client), stream_stats_of(ends.near).in_flight < WINDOW / 2));
	}
	ends_close(pair, &ends);
}

static void a_writer_beyond_the_window_waits_and_goes_on_when_the_reader_reads(struct pair *pair)
{
	static unsigned char out[10 * WINDOW], in[10 * WINDOW];
	struct ends ends = open_narrow(pair);
	struct call call;
	size_t got = 0;
	ssize_t n;

	pattern_fill(out, sizeof(out), 1);
	call_write(&call, ends.near, out, sizeof(out), SHMIPC_FOREVER);
	worker_await_sleep(&call.worker);
	while (got < sizeof(in)) {
		n = shmipc_stream_read(ends.far, in + got, sizeof(in) - got, FAR);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_code(worker_join(&call.worker), sizeof(out));
	assert_memory_equal(in, out, sizeof(in));
	ends_close(pair, &ends);
}

static void the_reader_may_release_discard_or_receive_to_let_the_writer_go_on(struct pair *pair)
{
	struct ends ends = open_narrow(pair);
	struct shmipc_piece pieces[3];
	static char room[30000];
	struct call call;
	size_t total;
	int i, j;

	for (i = 0; i < 9; i++) {
		total = fill_up(ends.near, 10000) + 10000;
		assert_true(total >= 50000);
		call_write(&call, ends.near, room, 10000, SHMIPC_FOREVER);
		worker_await_sleep(&call.worker);
		switch (i % 3) {
		case 0:
			assert_code(shmipc_stream_discard(ends.far, 30000, FAR), 30000);
			break;
		case 1:
			for (j = 0; j < 30000;)
				j += (int)shmipc_stream_read(ends.far, room, (size_t)(30000 - j), FAR);
			break;
		default:
			for (j = 0; j < 3; j++) {
				assert_code(shmipc_stream_receive(ends.far, &pieces[j], FAR), 1);
				assert_int_equal(pieces[j].size, 10000);
			}
			sleep_ms(5);
			assert_false(call.worker.over);
			for (j = 3; j-- > 0;)
				assert_code(shmipc_stream_release(ends.far, &pieces[j]), 0);
		}
		assert_code(worker_join(&call.worker), 10000);
		assert_code(shmipc_stream_discard(ends.far, total - 30000, FAR), (long long)total - 30000);
	}
	ends_close(pair, &ends);
}

/* The sender's window is the receiver's option: each side may have another one. */
static void each_side_has_the_window_that_the_other_one_chose(struct pair *pair)
{
	struct shmipc_session_options client = session_options(pair), server = session_options(pair);
	struct ends ends;
	size_t total;

	client.window = 16384;
	server.window = 4096;
	session_pair_open(pair, &client, &server);
	ends = ends_open(pair);
	total = fill_up(ends.near, 100);
	assert_true(total >= 100 && total <= 4096);
	total = fill_up(ends.far, 100);
	assert_true(total > 4096 && total <= 16384);
	ends_close(pair, &ends);
}

/* A message of 100,000 bytes, with such a window, and a reader whose places are no larger than @most. */
static void expect_large_message(struct pair *pair, uint64_t window, size_t most)
{
	struct shmipc_session_options options = session_options(pair);
	static unsigned char out[100000], in[100000];
	struct ends ends;
	struct call call;
	size_t got = 0;
	int last = 0;
	ssize_t n;

	options.window = window;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	pattern_fill(out, sizeof(out), 4);
	memset(in, 0, sizeof(in));
	call_write(&call, ends.near, out, sizeof(out), SHMIPC_FOREVER);
	while (!last) {
		n = shmipc_stream_read_message(ends.far, in + got, sizeof(in) - got < most ? sizeof(in) - got : most,
					       &last, FAR);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_code(worker_join(&call.worker), sizeof(out));
	assert_int_equal(got, sizeof(out));
	assert_memory_equal(in, out, got);
	ends_close(pair, &ends);
}

static void a_message_larger_than_the_window_arrives_all_the_same(struct pair *pair)
{
	expect_large_message(pair, 4096, 1000);
}

/* Read into a place that is larger than the window: the rest cannot come before some is taken. */
static void a_whole_message_larger_than_the_window_is_read_into_one_place(struct pair *pair)
{
	expect_large_message(pair, 8192, SIZE_MAX);
}

static void a_buffer_larger_than_the_window_is_not_refused_for_ever(struct pair *pair)
{
	struct ends ends = open_narrow(pair);
	struct shmipc_buffer buffer;
	int r = shmipc_stream_reserve(ends.near, 2 * WINDOW, &buffer, 0);

	/* Either it can go when nothing else is under way, or it never can: not "not now". */
	if (!r) {
		pattern_fill(buffer.data, 2 * WINDOW, 1);
		assert_code(shmipc_stream_submit(ends.near, &buffer, 2 * WINDOW, 0, FAR), 0);
		pattern_read(ends.far, 2 * WINDOW, 1);
	} else {
		assert_code(r, -EMSGSIZE);
	}
	ends_close(pair, &ends);
}

static void a_writer_that_waits_on_one_stream_stops_no_other(struct pair *pair)
{
	static char out[3 * WINDOW];
	struct ends full = open_narrow(pair), other = ends_open(pair);
	struct call call;
	uint32_t i;

	call_write(&call, full.near, out, sizeof(out), SHMIPC_FOREVER);
	worker_await_sleep(&call.worker);
	for (i = 0; i < 100; i++) {
		pattern_write(other.near, i * 400 + 1, i);
		pattern_read(other.far, i * 400 + 1, i);
		pattern_write(other.far, i * 400 + 1, i);
		pattern_read(other.near, i * 400 + 1, i);
	}
	assert_false(call.worker.over);
	assert_code(shmipc_stream_discard(full.far, sizeof(out), FAR), sizeof(out));
	assert_code(worker_join(&call.worker), sizeof(out));
	shmipc_stream_close(other.near);
	shmipc_stream_close(other.far);
	ends_close(pair, &full);
}

static void a_reader_that_does_not_read_fills_no_ring_for_others(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct ends silent[8], other;
	uint32_t i;

	options.channel.slots = 16;
	options.window = 8192;
	session_pair_open(pair, &options, &options);
	for (i = 0; i < 8; i++)
		silent[i] = ends_open(pair);
	other = ends_open(pair);
	for (i = 0; i < 800; i++) {
		shmipc_stream_write(silent[i % 8].near, "unread", 6, 0, 0);
		pattern_write(other.near, i + 1, i);
		pattern_read(other.far, i + 1, i);
	}
	for (i = 0; i < 8; i++) {
		shmipc_stream_close(silent[i].near);
		shmipc_stream_close(silent[i].far);
	}
	ends_close(pair, &other);
}

static void a_full_ring_is_eagain_and_a_writer_waits_for_a_slot(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct ends ends;
	struct call call;
	size_t total;

	options.channel.slots = 16;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	total = fill_up(ends.near, 10);
	assert_true(total <= 16 * 10);
	call_write(&call, ends.near, "0123456789", 10, SHMIPC_FOREVER);
	worker_await_sleep(&call.worker);
	assert_true(session_stats_of(pair->client).writes_waited > 0);
	assert_code(shmipc_stream_discard(ends.far, total, FAR), (long long)total);
	assert_code(worker_join(&call.worker), 10);
	assert_code(shmipc_stream_discard(ends.far, 10, FAR), 10);
	ends_close(pair, &ends);
}

static void a_full_ring_stops_no_end_no_close_and_no_reset(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct ends ends[3];
	size_t total;
	char byte;
	int i;

	options.channel.slots = 16;
	session_pair_open(pair, &options, &options);
	for (i = 0; i < 3; i++)
		ends[i] = ends_open(pair);
	total = fill_up(ends[0].near, 10);
	assert_code(shmipc_stream_end(ends[0].near), 0);
	assert_code(shmipc_stream_reset(ends[1].near, 77), 0);
	shmipc_stream_close(ends[2].near);
	assert_code(shmipc_stream_discard(ends[0].far, total, FAR), (long long)total);
	await((session_look(pair->client), shmipc_stream_read(ends[0].far, &byte, 1, 0) == 0));
	await((session_look(pair->client), shmipc_stream_read(ends[1].far, &byte, 1, 0) == -ECONNRESET));
	assert_int_equal(shmipc_stream_reset_code(ends[1].far), 77);
	await((session_look(pair->client), shmipc_stream_read(ends[2].far, &byte, 1, 0) == 0));
	shmipc_stream_close(ends[0].near);
	shmipc_stream_close(ends[1].near);
	for (i = 0; i < 3; i++)
		shmipc_stream_close(ends[i].far);
	session_pair_await_empty(pair);
}

static void small_messages_of_all_streams_stay_within_the_private_memory(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct ends ends[20];
	size_t total = 0;
	char in[200];
	int i, round;

	options.private_max = 65536;
	options.channel.slots = 64;
	session_pair_open(pair, NULL, &options);
	for (i = 0; i < 20; i++)
		ends[i] = ends_open(pair);
	for (round = 0; round < 200; round++) {
		for (i = 0; i < 20; i++) {
			ssize_t n = shmipc_stream_write(ends[i].near, "0123456789abcdef", 16, 0, 0);

			assert_true(n == 16 || n == -EAGAIN);
			total += n > 0 ? 16 : 0;
		}
		session_look(pair->server);
		assert_true(session_stats_of(pair->server).private_bytes <= 65536);
	}
	assert_true(total >= 65536 / (16 + MESSAGE_CHARGE) / 2 * 16 && total < 200 * 20 * 16);
	/* It comes back when they are read. */
	for (i = 0; i < 20; i++)
		while (shmipc_stream_read(ends[i].far, in, sizeof(in), 0) > 0)
			;
	await((session_look(pair->client), shmipc_stream_write(ends[0].near, "x", 1, 0, 0) == 1));
	for (i = 0; i < 20; i++) {
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	session_pair_await_empty(pair);
}

static void a_lane_that_is_full_makes_writers_wait_where_the_policy_says_so(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	static char out[50000];
	struct ends ends, other;
	struct call call;
	size_t total;

	options.exhaustion = SHMIPC_EXHAUSTION_WAIT;
	options.channel.segment_bytes = 65536;
	options.channel.memory_max = 262144;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	other = ends_open(pair);
	total = fill_up(ends.near, 20000);
	assert_true(total >= 100000 && total <= 262144);
	assert_true(session_stats_of(pair->client).exhaustions > 0);
	assert_code(shmipc_stream_write(other.near, out, sizeof(out), 0, soon(5)) < (ssize_t)sizeof(out), 1);
	call_write(&call, ends.near, out, 20000, SHMIPC_FOREVER);
	worker_await_sleep(&call.worker);
	assert_int_equal(session_stats_of(pair->client).fallback_sent, 0);
	assert_int_equal(shmipc_session_is_healthy(pair->client), 1);
	assert_code(shmipc_stream_discard(ends.far, total + 20000, FAR), (long long)total + 20000);
	worker_join(&call.worker);
	shmipc_stream_close(other.near);
	shmipc_stream_close(other.far);
	ends_close(pair, &ends);
}

static void several_writers_that_wait_for_the_lane_all_go_on(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	static char out[60000];
	struct call calls[4];
	struct ends ends[4];
	int i;

	options.exhaustion = SHMIPC_EXHAUSTION_WAIT;
	options.channel.segment_bytes = 65536;
	options.channel.memory_max = 65536;
	session_pair_open(pair, &options, &options);
	for (i = 0; i < 4; i++)
		ends[i] = ends_open(pair);
	for (i = 0; i < 4; i++)
		call_write(&calls[i], ends[i].near, out, sizeof(out), SHMIPC_FOREVER);
	for (i = 4; i-- > 0;)
		while (stream_stats_of(ends[i].far).bytes_read < sizeof(out) + 1) {
			int j;

			/* None may keep what the others need. */
			for (j = 0; j < 4; j++)
				shmipc_stream_discard(ends[j].far, sizeof(out), soon(2));
		}
	for (i = 0; i < 4; i++) {
		assert_code(worker_join(&calls[i].worker), sizeof(out));
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	session_pair_await_empty(pair);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(no_more_than_the_window_is_under_way),
		ON_BOTH(a_writer_beyond_the_window_waits_and_goes_on_when_the_reader_reads),
		ON_BOTH(the_reader_may_release_discard_or_receive_to_let_the_writer_go_on),
		ON_BOTH(each_side_has_the_window_that_the_other_one_chose),
		ON_BOTH(a_message_larger_than_the_window_arrives_all_the_same),
		ON_BOTH(a_whole_message_larger_than_the_window_is_read_into_one_place),
		ON_BOTH(a_buffer_larger_than_the_window_is_not_refused_for_ever),
		ON_BOTH(a_writer_that_waits_on_one_stream_stops_no_other),
		ON_BOTH(a_reader_that_does_not_read_fills_no_ring_for_others),
		ON_BOTH(a_full_ring_is_eagain_and_a_writer_waits_for_a_slot),
		ON_BOTH(a_full_ring_stops_no_end_no_close_and_no_reset),
		ON_BOTH(small_messages_of_all_streams_stay_within_the_private_memory),
		ON_BOTH(a_lane_that_is_full_makes_writers_wait_where_the_policy_says_so),
		ON_BOTH(several_writers_that_wait_for_the_lane_all_go_on),
	};

	return RUN_TESTS(tests, argc, argv);
}
