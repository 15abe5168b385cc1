// SPDX-License-Identifier: Apache-2.0
/*
 * stream_end.c - tests of how a stream ends: half-close in both directions, close with data under way, reset
 */
#include <string.h>

#include "session_pair.h"

static struct ends open_one(struct pair *pair)
{
	session_pair_open(pair, NULL, NULL);
	return ends_open(pair);
}

static void expect_end(struct shmipc_stream *stream)
{
	struct shmipc_piece piece;
	const void *data;
	int last = 7;
	char byte;

	assert_code(shmipc_stream_read(stream, &byte, 1, FAR), 0);
	assert_code(shmipc_stream_read(stream, &byte, 1, 0), 0);
	assert_code(shmipc_stream_receive(stream, &piece, FAR), 0);
	assert_code(shmipc_stream_peek(stream, 1, &data, FAR), 0);
	assert_code(shmipc_stream_discard(stream, 10, FAR), 0);
	assert_code(shmipc_stream_read_message(stream, &byte, 1, &last, FAR), 0);
	assert_int_equal(last, 0);
}

static void one_direction_ends_and_the_other_goes_on(struct pair *pair, struct ends *ends, bool swap)
{
	struct shmipc_stream *ended = swap ? ends->far : ends->near, *other = swap ? ends->near : ends->far;

	pattern_write(ended, 5000, 1);
	assert_code(shmipc_stream_end(ended), 0);
	assert_code(shmipc_stream_write(ended, "x", 1, 0, FAR), -ESHUTDOWN);
	pattern_read(other, 5000, 1);
	expect_end(other);
	pattern_write(other, 100000, 2);
	pattern_read(ended, 100000, 2);
	assert_code(shmipc_stream_end(other), 0);
	expect_end(ended);
	ends_close(pair, ends);
}

static void after_the_openers_end_the_other_direction_goes_on(struct pair *pair)
{
	struct ends ends = open_one(pair);

	one_direction_ends_and_the_other_goes_on(pair, &ends, false);
}

static void after_the_accepters_end_the_other_direction_goes_on(struct pair *pair)
{
	struct ends ends = open_one(pair);

	one_direction_ends_and_the_other_goes_on(pair, &ends, true);
}

static void end_may_be_repeated(struct pair *pair)
{
	struct ends ends = open_one(pair);

	assert_code(shmipc_stream_end(ends.near), 0);
	assert_code(shmipc_stream_end(ends.near), 0);
	expect_end(ends.far);
	assert_code(shmipc_stream_end(ends.far), 0);
	expect_end(ends.near);
	assert_code(shmipc_stream_end(ends.near), 0);
	ends_close(pair, &ends);
}

static void after_end_every_way_to_write_is_eshutdown(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct iovec iov = { (void *)"x", 1 };
	struct shmipc_buffer buffer;
	char reply;

	assert_code(shmipc_stream_end(ends.near), 0);
	assert_code(shmipc_stream_write(ends.near, "x", 1, 0, 0), -ESHUTDOWN);
	assert_code(shmipc_stream_write(ends.near, "x", 1, SHMIPC_MORE, 0), -ESHUTDOWN);
	assert_code(shmipc_stream_writev(ends.near, &iov, 1, 0, 0), -ESHUTDOWN);
	assert_code(shmipc_stream_reserve(ends.near, 100, &buffer, 0), -ESHUTDOWN);
	assert_code(shmipc_stream_call(ends.near, "x", 1, &reply, 1, 0), -ESHUTDOWN);
	ends_close(pair, &ends);
}

static void the_end_flag_ends_with_the_last_bytes(struct pair *pair)
{
	static char data[100000];
	struct ends ends = open_one(pair);
	struct shmipc_buffer buffer;

	pattern_fill(data, sizeof(data), 3);
	assert_code(shmipc_stream_write(ends.near, data, sizeof(data), SHMIPC_END, FAR), sizeof(data));
	assert_code(shmipc_stream_write(ends.near, "x", 1, 0, FAR), -ESHUTDOWN);
	assert_code(shmipc_stream_reserve(ends.far, 3000, &buffer, FAR), 0);
	pattern_fill(buffer.data, 3000, 4);
	assert_code(shmipc_stream_submit(ends.far, &buffer, 3000, SHMIPC_END, FAR), 0);
	pattern_read(ends.far, sizeof(data), 3);
	expect_end(ends.far);
	pattern_read(ends.near, 3000, 4);
	expect_end(ends.near);
	ends_close(pair, &ends);
}

static void end_flushes_what_was_held_back(struct pair *pair)
{
	struct ends ends = open_one(pair);
	char data[20];

	assert_code(shmipc_stream_write(ends.near, "held", 4, SHMIPC_MORE, FAR), 4);
	assert_code(shmipc_stream_end(ends.near), 0);
	assert_code(shmipc_stream_read(ends.far, data, sizeof(data), FAR), 4);
	assert_memory_equal(data, "held", 4);
	expect_end(ends.far);
	ends_close(pair, &ends);
}

static void close_flushes_what_was_held_back(struct pair *pair)
{
	struct ends ends = open_one(pair);
	char data[20];

	assert_code(shmipc_stream_write(ends.near, "held", 4, SHMIPC_MORE, FAR), 4);
	shmipc_stream_close(ends.near);
	assert_code(shmipc_stream_read(ends.far, data, sizeof(data), FAR), 4);
	assert_memory_equal(data, "held", 4);
	expect_end(ends.far);
	shmipc_stream_close(ends.far);
	session_pair_await_empty(pair);
}

/* All forms of data, then close at once: all of it arrives, then the end. */
static void data_followed_at_once_by_close_arrives(struct pair *pair)
{
	static const size_t sizes[] = { 1, 112, 113, 4096, 4097, 32768, 32769, 500000 };
	struct ends ends;
	size_t i;

	session_pair_open(pair, NULL, NULL);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		ends = ends_open(pair);
		pattern_write(ends.near, sizes[i], (uint32_t)i);
		pattern_write(ends.near, sizes[i], (uint32_t)i + 1);
		shmipc_stream_close(ends.near);
		pattern_read(ends.far, sizes[i], (uint32_t)i);
		pattern_read(ends.far, sizes[i], (uint32_t)i + 1);
		expect_end(ends.far);
		shmipc_stream_close(ends.far);
	}
	session_pair_await_empty(pair);
}

static void data_written_before_close_can_be_looked_at_after_it(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_piece piece;
	const void *data;

	pattern_write(ends.near, 20000, 5);
	pattern_write(ends.near, 20000, 6);
	shmipc_stream_close(ends.near);
	assert_true(shmipc_stream_peek(ends.far, 20000, &data, FAR) >= 20000);
	assert_true(pattern_is(data, 20000, 5));
	pattern_read(ends.far, 20000, 5);
	assert_code(shmipc_stream_receive(ends.far, &piece, FAR), 1);
	assert_int_equal(piece.size, 20000);
	assert_true(pattern_is(piece.data, 20000, 6));
	expect_end(ends.far);
	assert_true(pattern_is(piece.data, 20000, 6));
	assert_code(shmipc_stream_release(ends.far, &piece), 0);
	shmipc_stream_close(ends.far);
	session_pair_await_empty(pair);
}

static void writing_after_the_peer_closed_is_epipe_in_every_way(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct iovec iov = { (void *)"x", 1 };
	struct shmipc_buffer buffer;
	char reply;

	shmipc_stream_close(ends.far);
	/* Until it is told. */
	expect_end(ends.near);
	assert_code(shmipc_stream_write(ends.near, "x", 1, 0, FAR), -EPIPE);
	assert_code(shmipc_stream_writev(ends.near, &iov, 1, 0, FAR), -EPIPE);
	assert_code(shmipc_stream_reserve(ends.near, 100, &buffer, FAR), -EPIPE);
	assert_code(shmipc_stream_call(ends.near, "x", 1, &reply, 1, FAR), -EPIPE);
	assert_code(shmipc_stream_end(ends.near), 0);
	shmipc_stream_close(ends.near);
	session_pair_await_empty(pair);
}

static void submit_after_the_peer_closed_is_epipe_and_the_buffer_is_gone(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_buffer buffer;

	assert_code(shmipc_stream_reserve(ends.near, 100, &buffer, FAR), 0);
	shmipc_stream_close(ends.far);
	expect_end(ends.near);
	assert_code(shmipc_stream_submit(ends.near, &buffer, 100, 0, FAR), -EPIPE);
	assert_code(shmipc_stream_cancel(ends.near, &buffer), -EINVAL);
	shmipc_stream_close(ends.near);
	session_pair_await_empty(pair);
}

static void a_blocked_writer_gets_epipe_when_the_peer_closes(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	static char data[100000];
	struct ends ends;
	struct call call;

	options.window = 65536;
	session_pair_open(pair, NULL, &options);
	ends = ends_open(pair);
	fill_up(ends.near, 1000);
	call_write(&call, ends.near, data, sizeof(data), SHMIPC_FOREVER);
	worker_await_sleep(&call.worker);
	shmipc_stream_close(ends.far);
	worker_join(&call.worker);
	/* It may have taken some of it, while there was room. */
	assert_true(call.worker.result == -EPIPE || (call.worker.result > 0 && call.worker.result < 100000));
	assert_code(shmipc_stream_write(ends.near, data, 10, 0, FAR), -EPIPE);
	shmipc_stream_close(ends.near);
	session_pair_await_empty(pair);
}

static void a_blocked_reader_gets_0_when_the_peer_ends_or_closes(struct pair *pair)
{
	struct ends ends;
	struct call call;
	char byte;
	int i;

	session_pair_open(pair, NULL, NULL);
	for (i = 0; i < 2; i++) {
		ends = ends_open(pair);
		call_read(&call, ends.far, &byte, 1, SHMIPC_FOREVER);
		worker_await_sleep(&call.worker);
		if (i)
			shmipc_stream_close(ends.near);
		else
			assert_code(shmipc_stream_end(ends.near), 0);
		assert_code(worker_join(&call.worker), 0);
		if (!i)
			shmipc_stream_close(ends.near);
		shmipc_stream_close(ends.far);
	}
	session_pair_await_empty(pair);
}

static void expect_reset(struct shmipc_stream *stream)
{
	struct shmipc_buffer buffer;
	struct shmipc_piece piece;
	char byte;

	assert_code(shmipc_stream_read(stream, &byte, 1, FAR), -ECONNRESET);
	assert_code(shmipc_stream_receive(stream, &piece, FAR), -ECONNRESET);
	assert_code(shmipc_stream_discard(stream, 1, FAR), -ECONNRESET);
	assert_code(shmipc_stream_write(stream, "x", 1, 0, FAR), -ECONNRESET);
	assert_code(shmipc_stream_reserve(stream, 10, &buffer, FAR), -ECONNRESET);
	assert_code(shmipc_stream_end(stream), -ECONNRESET);
}

static void a_reset_ends_both_directions_on_both_sides_and_drops_what_is_unread(struct pair *pair)
{
	struct ends ends = open_one(pair);

	assert_int_equal(shmipc_stream_reset_code(ends.far), 0);
	pattern_write(ends.near, 50000, 1);
	pattern_write(ends.far, 50000, 1);
	assert_code(shmipc_stream_reset(ends.near, 4711), 0);
	session_look(pair->server);
	expect_reset(ends.near);
	expect_reset(ends.far);
	assert_int_equal(shmipc_stream_reset_code(ends.far), 4711);
	assert_code(shmipc_stream_reset(ends.near, 4712), 0);
	ends_close(pair, &ends);
}

static void a_reset_before_the_first_bytes_went_leaves_nothing_at_the_peer(struct pair *pair)
{
	struct shmipc_stream *near;

	session_pair_open(pair, NULL, NULL);
	assert_code(shmipc_stream_open(pair->client, &near), 0);
	assert_code(shmipc_stream_write(near, "held back", 9, SHMIPC_MORE, FAR), 9);
	assert_code(shmipc_stream_reset(near, 1), 0);
	shmipc_stream_close(near);
	session_look(pair->server);
	session_pair_await_empty(pair);
	assert_int_equal(session_stats_of(pair->server).streams_accepted, 0);
}

static void a_reset_by_both_sides_at_once_is_well(struct pair *pair)
{
	struct ends ends = open_one(pair);

	pattern_write(ends.near, 50000, 1);
	assert_code(shmipc_stream_reset(ends.near, 1), 0);
	assert_code(shmipc_stream_reset(ends.far, 2), 0);
	expect_reset(ends.near);
	expect_reset(ends.far);
	ends_close(pair, &ends);
}

/* One thread waits for what nobody writes, another one for room that nobody makes. */
static void a_reset_wakes_both(struct pair *pair, bool from_here)
{
	static char room[200000];
	struct call reader, writer;
	struct ends ends = ends_open(pair);

	call_read(&reader, ends.near, (char[1]){ 0 }, 1, SHMIPC_FOREVER);
	fill_up(ends.near, 1000);
	call_write(&writer, ends.near, room, sizeof(room), SHMIPC_FOREVER);
	worker_await_sleep(&reader.worker);
	worker_await_sleep(&writer.worker);
	assert_code(shmipc_stream_reset(from_here ? ends.near : ends.far, 5), 0);
	assert_code(worker_join(&reader.worker), -ECONNRESET);
	worker_join(&writer.worker);
	/* It may have taken the last bytes of room. */
	assert_true(writer.worker.result == -ECONNRESET || (writer.worker.result > 0 && writer.worker.result < 2000));
	ends_close(pair, &ends);
}

static void a_reset_wakes_readers_and_writers_here_and_there(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);

	options.window = 65536;
	session_pair_open(pair, &options, &options);
	a_reset_wakes_both(pair, false);
	a_reset_wakes_both(pair, true);
}

static void a_reset_leaves_other_streams_alone(struct pair *pair)
{
	struct ends ends, other;

	ends = open_one(pair);
	other = ends_open(pair);
	pattern_write(ends.near, 5000, 1);
	pattern_write(other.near, 5000, 2);
	assert_code(shmipc_stream_reset(ends.near, 1), 0);
	pattern_write(other.near, 5000, 3);
	pattern_read(other.far, 5000, 2);
	pattern_read(other.far, 5000, 3);
	expect_reset(ends.far);
	shmipc_stream_close(ends.near);
	shmipc_stream_close(ends.far);
	ends_close(pair, &other);
}

static void closing_null_is_nothing(struct pair *pair)
{
	(void)pair;
	shmipc_stream_close(NULL);
	shmipc_session_close(NULL);
}

static void a_close_with_everything_unread_gives_all_of_it_back(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_piece piece;
	const void *data;
	uint32_t i;

	for (i = 0; i < 50; i++)
		pattern_write(ends.near, i * 300, i);
	assert_code(shmipc_stream_peek(ends.far, 1, &data, FAR) > 0, true);
	pattern_read(ends.far, 300, 1);
	assert_code(shmipc_stream_receive(ends.far, &piece, FAR), 1);
	shmipc_stream_close(ends.far);
	assert_code(shmipc_stream_read(ends.near, &(char){ 0 }, 1, FAR), 0);
	shmipc_stream_close(ends.near);
	session_pair_await_empty(pair);
}

static void an_open_buffer_is_given_back_by_close(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_buffer buffer;

	assert_code(shmipc_stream_reserve(ends.near, 100000, &buffer, FAR), 0);
	memset(buffer.data, 1, 100000);
	shmipc_stream_close(ends.near);
	expect_end(ends.far);
	shmipc_stream_close(ends.far);
	session_pair_await_empty(pair);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(after_the_openers_end_the_other_direction_goes_on),
		ON_BOTH(after_the_accepters_end_the_other_direction_goes_on),
		ON_BOTH(end_may_be_repeated),
		ON_BOTH(after_end_every_way_to_write_is_eshutdown),
		ON_BOTH(the_end_flag_ends_with_the_last_bytes),
		ON_BOTH(end_flushes_what_was_held_back),
		ON_BOTH(close_flushes_what_was_held_back),
		ON_BOTH(data_followed_at_once_by_close_arrives),
		ON_BOTH(data_written_before_close_can_be_looked_at_after_it),
		ON_BOTH(writing_after_the_peer_closed_is_epipe_in_every_way),
		ON_BOTH(submit_after_the_peer_closed_is_epipe_and_the_buffer_is_gone),
		ON_BOTH(a_blocked_writer_gets_epipe_when_the_peer_closes),
		ON_BOTH(a_blocked_reader_gets_0_when_the_peer_ends_or_closes),
		ON_BOTH(a_reset_ends_both_directions_on_both_sides_and_drops_what_is_unread),
		ON_BOTH(a_reset_before_the_first_bytes_went_leaves_nothing_at_the_peer),
		ON_BOTH(a_reset_by_both_sides_at_once_is_well),
		ON_BOTH(a_reset_wakes_readers_and_writers_here_and_there),
		ON_BOTH(a_reset_leaves_other_streams_alone),
		ON_BOTH(closing_null_is_nothing),
		ON_BOTH(a_close_with_everything_unread_gives_all_of_it_back),
		ON_BOTH(an_open_buffer_is_given_back_by_close),
	};

	return RUN_TESTS(tests, argc, argv);
}
