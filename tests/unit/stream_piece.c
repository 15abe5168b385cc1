// SPDX-License-Identifier: Apache-2.0
/*
 * stream_piece.c - tests of writing and reading in place: reserve, submit and cancel; receive, release and reuse
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session/internal.h"
#include "session_pair.h"

static struct ends open_one(struct pair *pair)
{
	session_pair_open(pair, NULL, NULL);
	return ends_open(pair);
}

static void submit(struct shmipc_stream *stream, size_t size, uint32_t tag)
{
	struct shmipc_buffer buffer;

	memset(&buffer, 0xa5, sizeof(buffer));
	assert_code(shmipc_stream_reserve(stream, size, &buffer, FAR), 0);
	assert_true(buffer.size >= size);
	assert_int_equal((uintptr_t)buffer.data % 16, 0);
	pattern_fill(buffer.data, size, tag);
	assert_code(shmipc_stream_submit(stream, &buffer, size, 0, FAR), 0);
}

static struct shmipc_piece receive(struct shmipc_stream *stream, size_t size, uint32_t tag)
{
	struct shmipc_piece piece;

	memset(&piece, 0xa5, sizeof(piece));
	assert_code(shmipc_stream_receive(stream, &piece, FAR), 1);
	assert_int_equal(piece.size, size);
	assert_int_equal(piece.last, 1);
	assert_true(pattern_is(piece.data, size, tag));
	return piece;
}

/* Messages of these sizes, sent in that way, are one piece each. */
static void expect_single_pieces(struct pair *pair,
				 void (*send)(struct shmipc_stream *stream, size_t size, uint32_t tag),
				 const size_t *sizes, uint32_t count)
{
	struct ends ends = open_one(pair);
	struct shmipc_piece piece;
	uint32_t i;

	for (i = 0; i < count; i++) {
		send(ends.near, sizes[i], i);
		piece = receive(ends.far, sizes[i], i);
		assert_code(shmipc_stream_release(ends.far, &piece), 0);
	}
	ends_close(pair, &ends);
}

static void what_is_submitted_is_received_in_one_piece(struct pair *pair)
{
	static const size_t sizes[] = { 1, 64, 112, 113, 4096, 4097, 32768, 32769, 300000, 700000 };

	expect_single_pieces(pair, submit, sizes, sizeof(sizes) / sizeof(*sizes));
}

static void what_is_written_up_to_32_kb_is_received_in_one_piece(struct pair *pair)
{
	static const size_t sizes[] = { 1, 64, 112, 113, 4096, 4097, 20000, 32767, 32768 };

	expect_single_pieces(pair, pattern_write, sizes, sizeof(sizes) / sizeof(*sizes));
}

static void less_may_be_submitted_than_was_reserved(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_buffer buffer;
	struct shmipc_piece piece;

	assert_code(shmipc_stream_reserve(ends.near, 100000, &buffer, FAR), 0);
	pattern_fill(buffer.data, 100000, 1);
	assert_code(shmipc_stream_submit(ends.near, &buffer, 10, 0, FAR), 0);
	piece = receive(ends.far, 10, 1);
	assert_code(shmipc_stream_release(ends.far, &piece), 0);
	ends_close(pair, &ends);
}

static void a_cancelled_buffer_is_never_sent(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_buffer buffer;
	char byte;

	assert_code(shmipc_stream_reserve(ends.near, 100000, &buffer, FAR), 0);
	assert_code(shmipc_stream_cancel(ends.near, &buffer), 0);
	assert_code(shmipc_stream_cancel(ends.near, &buffer), -EINVAL);
	assert_code(shmipc_stream_submit(ends.near, &buffer, 10, 0, FAR), -EINVAL);
	assert_code(shmipc_stream_read(ends.far, &byte, 1, 0), -EAGAIN);
	submit(ends.near, 10, 1);
	pattern_read(ends.far, 10, 1);
	assert_int_equal(stream_stats_of(ends.near).in_flight <= 10 + 1 + 2 * MESSAGE_CHARGE, 1);
	ends_close(pair, &ends);
}

static void a_second_buffer_is_ealready_until_the_first_is_gone(struct pair *pair)
{
	struct ends ends = open_one(pair), other = ends_open(pair);
	struct shmipc_buffer buffer, second;

	assert_code(shmipc_stream_reserve(ends.near, 100, &buffer, FAR), 0);
	assert_code(shmipc_stream_reserve(ends.near, 100, &second, FAR), -EALREADY);
	assert_code(shmipc_stream_reserve(other.near, 100, &second, FAR), 0);
	assert_code(shmipc_stream_cancel(other.near, &second), 0);
	assert_code(shmipc_stream_submit(ends.near, &buffer, 100, 0, FAR), 0);
	assert_code(shmipc_stream_reserve(ends.near, 100, &second, FAR), 0);
	assert_code(shmipc_stream_cancel(ends.near, &second), 0);
	assert_code(shmipc_stream_discard(ends.far, 100, FAR), 100);
	shmipc_stream_close(other.near);
	shmipc_stream_close(other.far);
	ends_close(pair, &ends);
}

static void submitting_more_than_was_reserved_or_twice_is_einval(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_buffer buffer;
	unsigned int bit;

	assert_code(shmipc_stream_reserve(ends.near, 100, &buffer, FAR), 0);
	assert_code(shmipc_stream_submit(ends.near, &buffer, buffer.size + 1, 0, FAR), -EINVAL);
	assert_code(shmipc_stream_submit(ends.near, &buffer, SIZE_MAX, 0, FAR), -EINVAL);
	for (bit = 0; bit < 32; bit++)
		if (!((1u << bit) & (SHMIPC_MORE | SHMIPC_END | SHMIPC_LAZY)))
			assert_code(shmipc_stream_submit(ends.near, &buffer, 1, 1u << bit, FAR), -EINVAL);
	assert_code(shmipc_stream_submit(ends.near, &buffer, 100, 0, FAR), 0);
	assert_code(shmipc_stream_submit(ends.near, &buffer, 100, 0, FAR), -EINVAL);
	assert_code(shmipc_stream_discard(ends.far, 200, soon(5)), 100);
	ends_close(pair, &ends);
}

static void a_buffer_of_another_stream_is_einval(struct pair *pair)
{
	struct ends ends = open_one(pair), other = ends_open(pair);
	struct shmipc_buffer buffer;

	assert_code(shmipc_stream_reserve(ends.near, 100, &buffer, FAR), 0);
	assert_code(shmipc_stream_submit(other.near, &buffer, 10, 0, FAR), -EINVAL);
	assert_code(shmipc_stream_cancel(other.near, &buffer), -EINVAL);
	assert_code(shmipc_stream_cancel(ends.near, &buffer), 0);
	shmipc_stream_close(other.near);
	shmipc_stream_close(other.far);
	ends_close(pair, &ends);
}

static void a_buffer_larger_than_a_lane_can_be_is_emsgsize(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct shmipc_buffer buffer;
	struct ends ends;

	options.channel.memory_max = 1 << 20;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	assert_code(shmipc_stream_reserve(ends.near, (1 << 20) + 1, &buffer, FAR), -EMSGSIZE);
	assert_code(shmipc_stream_reserve(ends.near, SIZE_MAX, &buffer, FAR), -EMSGSIZE);
	submit(ends.near, 500000, 1);
	pattern_read(ends.far, 500000, 1);
	ends_close(pair, &ends);
}

static void writing_and_submitting_keep_their_order(struct pair *pair)
{
	struct ends ends = open_one(pair);
	uint32_t i;

	for (i = 0; i < 60; i++) {
		if (i % 3)
			pattern_write(ends.near, i * 150 + 1, i);
		else
			submit(ends.near, i * 150 + 1, i);
	}
	for (i = 0; i < 60; i++)
		pattern_read(ends.far, i * 150 + 1, i);
	ends_close(pair, &ends);
}

/* Bytes held back come before a buffer that was reserved later. */
static void what_is_held_back_goes_before_a_buffer(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_buffer buffer;
	char in[10];

	assert_code(shmipc_stream_write(ends.near, "ab", 2, SHMIPC_MORE, FAR), 2);
	assert_code(shmipc_stream_reserve(ends.near, 2, &buffer, FAR), 0);
	memcpy(buffer.data, "cd", 2);
	assert_code(shmipc_stream_submit(ends.near, &buffer, 2, 0, FAR), 0);
	assert_code(shmipc_stream_discard(ends.far, 1, FAR), 1);
	assert_code(shmipc_stream_read(ends.far, in, 1, FAR), 1);
	assert_int_equal(in[0], 'b');
	assert_code(shmipc_stream_read(ends.far, in, 10, FAR), 2);
	assert_memory_equal(in, "cd", 2);
	ends_close(pair, &ends);
}

static bool is_in_peers_lane(struct shmipc_session *session, const void *data, size_t size)
{
	const struct shmipc_channel *channel = session->channel;
	uintptr_t at = (uintptr_t)data, base;
	int i;

	for (i = 0; i < SHMIPC_SEGMENTS; i++) {
		base = (uintptr_t)channel->peer.segment[i].base;
		if (base && at >= base && at + size <= base + channel->peer.segment[i].bytes)
			return true;
	}
	return false;
}

static void pieces_above_the_small_size_lie_in_the_peers_lane(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_piece piece;
	const void *data;

	submit(ends.near, SMALL_MAX + 1, 1);
	piece = receive(ends.far, SMALL_MAX + 1, 1);
	assert_true(is_in_peers_lane(pair->server, piece.data, piece.size));
	assert_code(shmipc_stream_release(ends.far, &piece), 0);
	pattern_write(ends.near, 30000, 2);
	assert_true(shmipc_stream_peek(ends.far, 30000, &data, FAR) >= 30000);
	assert_true(is_in_peers_lane(pair->server, data, 30000));
	piece = receive(ends.far, 30000, 2);
	assert_true(is_in_peers_lane(pair->server, piece.data, piece.size));
	assert_ptr_equal(piece.data, data);
	assert_code(shmipc_stream_release(ends.far, &piece), 0);
	ends_close(pair, &ends);
}

/* What the writer stores after it submitted is seen by the reader: these are the same pages. */
static void a_received_piece_is_the_very_memory_that_was_written(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_buffer buffer;
	struct shmipc_piece piece;
	volatile unsigned char *written;

	assert_code(shmipc_stream_reserve(ends.near, 50000, &buffer, FAR), 0);
	written = buffer.data;
	pattern_fill(buffer.data, 50000, 1);
	assert_code(shmipc_stream_submit(ends.near, &buffer, 50000, 0, FAR), 0);
	piece = receive(ends.far, 50000, 1);
	written[49999] ^= 0xff;
	assert_int_equal(((volatile const unsigned char *)piece.data)[49999], written[49999]);
	assert_code(shmipc_stream_release(ends.far, &piece), 0);
	ends_close(pair, &ends);
}

static void pieces_may_be_released_in_any_order(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_piece pieces[20];
	uint32_t i;

	for (i = 0; i < 20; i++)
		submit(ends.near, i * 1000 + 1, i);
	for (i = 0; i < 20; i++)
		pieces[i] = receive(ends.far, i * 1000 + 1, i);
	assert_int_equal(stream_stats_of(ends.far).pinned, 20);
	for (i = 0; i < 20; i++) {
		uint32_t which = i * 7 % 20;

		assert_true(pattern_is(pieces[which].data, which * 1000 + 1, which));
		assert_code(shmipc_stream_release(ends.far, &pieces[which]), 0);
	}
	assert_int_equal(stream_stats_of(ends.far).pinned, 0);
	ends_close(pair, &ends);
}

static int release(struct worker *worker)
{
	struct call *call = (struct call *)worker;

	return shmipc_stream_release(call->stream, &call->piece);
}

static void another_thread_may_release_while_the_reader_waits(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct call releasing = { .worker.call = release, .stream = ends.far }, reader;
	char in[10];

	submit(ends.near, 20000, 1);
	releasing.piece = receive(ends.far, 20000, 1);
	call_read(&reader, ends.far, in, sizeof(in), SHMIPC_FOREVER);
	worker_await_sleep(&reader.worker);
	worker_start(&releasing.worker);
	assert_code(worker_join(&releasing.worker), 0);
	pattern_write(ends.near, 10, 2);
	assert_code(worker_join(&reader.worker), 10);
	ends_close(pair, &ends);
}

static void pieces_that_are_held_count_against_the_window(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct shmipc_buffer buffer;
	struct shmipc_piece first;
	struct ends ends;

	options.window = 65536;
	session_pair_open(pair, NULL, &options);
	ends = ends_open(pair);
	submit(ends.near, 50000, 1);
	first = receive(ends.far, 50000, 1);
	session_look(pair->client);
	assert_code(shmipc_stream_reserve(ends.near, 30000, &buffer, 0), -EAGAIN);
	assert_code(shmipc_stream_reserve(ends.near, 30000, &buffer, soon(5)), -ETIMEDOUT);
	assert_code(shmipc_stream_release(ends.far, &first), 0);
	assert_code(shmipc_stream_reserve(ends.near, 30000, &buffer, FAR), 0);
	assert_code(shmipc_stream_cancel(ends.near, &buffer), 0);
	ends_close(pair, &ends);
}

static void a_rest_of_a_message_is_received_where_reading_left_off(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_piece piece;
	unsigned char all[20000];

	pattern_write(ends.near, sizeof(all), 1);
	assert_code(shmipc_stream_read(ends.far, all, 777, FAR), 777);
	assert_code(shmipc_stream_receive(ends.far, &piece, FAR), 1);
	assert_int_equal(piece.size, sizeof(all) - 777);
	assert_int_equal(piece.last, 1);
	memcpy(all + 777, piece.data, piece.size);
	assert_true(pattern_is(all, sizeof(all), 1));
	assert_code(shmipc_stream_release(ends.far, &piece), 0);
	ends_close(pair, &ends);
}

static void the_pieces_of_a_large_write_say_which_is_the_last(struct pair *pair)
{
	struct ends ends = open_one(pair);
	static unsigned char all[200000];
	struct shmipc_piece piece;
	size_t at = 0;

	pattern_write(ends.near, sizeof(all), 1);
	while (at < sizeof(all)) {
		assert_code(shmipc_stream_receive(ends.far, &piece, FAR), 1);
		assert_true(piece.size && piece.size <= sizeof(all) - at);
		memcpy(all + at, piece.data, piece.size);
		at += piece.size;
		assert_int_equal(piece.last, at == sizeof(all));
		assert_code(shmipc_stream_release(ends.far, &piece), 0);
	}
	assert_true(pattern_is(all, sizeof(all), 1));
	ends_close(pair, &ends);
}

static void receive_without_a_message_is_eagain_or_etimedout(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_piece piece;
	struct call call;

	assert_code(shmipc_stream_receive(ends.far, &piece, 0), -EAGAIN);
	assert_code(shmipc_stream_receive(ends.far, &piece, soon(5)), -ETIMEDOUT);
	call_receive(&call, ends.far, SHMIPC_FOREVER);
	worker_await_sleep(&call.worker);
	submit(ends.near, 9000, 1);
	assert_code(worker_join(&call.worker), 1);
	assert_true(pattern_is(call.piece.data, 9000, 1));
	assert_code(shmipc_stream_release(ends.far, &call.piece), 0);
	ends_close(pair, &ends);
}

static void what_was_read_becomes_the_reply(struct pair *pair)
{
	static const size_t requests[] = { 1, 64, 112, 113, 4096, 5000, 300000 };
	struct ends ends = open_one(pair);
	struct shmipc_buffer buffer;
	struct shmipc_piece piece;
	uint32_t i;

	for (i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		size_t size = requests[i];

		submit(ends.near, size, i);
		piece = receive(ends.far, size, i);
		assert_code(shmipc_stream_reuse(ends.far, &piece, size - 1, &buffer, FAR), -EINVAL);
		assert_code(shmipc_stream_reuse(ends.far, &piece, size + 10, &buffer, FAR), 0);
		assert_true(buffer.size >= size + 10);
		assert_true(pattern_is(buffer.data, size, i));
		assert_int_equal(stream_stats_of(ends.far).pinned, 0);
		pattern_fill(buffer.data, size + 10, i + 100);
		assert_code(shmipc_stream_submit(ends.far, &buffer, size + 10, 0, FAR), 0);
		pattern_read(ends.near, size + 10, i + 100);
		assert_code(shmipc_stream_reuse(ends.far, &piece, size, &buffer, FAR), -EINVAL); /* released */
	}
	ends_close(pair, &ends);
}

static void what_cannot_become_the_reply_now_is_still_held(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_buffer open, buffer;
	struct shmipc_piece piece;

	submit(ends.near, 5000, 1);
	piece = receive(ends.far, 5000, 1);
	assert_code(shmipc_stream_reserve(ends.far, 100, &open, FAR), 0);
	assert_code(shmipc_stream_reuse(ends.far, &piece, 5000, &buffer, FAR), -EALREADY);
	assert_code(shmipc_stream_cancel(ends.far, &open), 0);
	fill_up(ends.far, 30000);
	fill_up(ends.far, 64);
	assert_code(shmipc_stream_reuse(ends.far, &piece, 5000, &buffer, 0), -EAGAIN);
	assert_int_equal(stream_stats_of(ends.far).pinned, 1);
	assert_true(pattern_is(piece.data, 5000, 1));
	assert_code(shmipc_stream_release(ends.far, &piece), 0);
	ends_close(pair, &ends);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(what_is_submitted_is_received_in_one_piece),
		ON_BOTH(what_is_written_up_to_32_kb_is_received_in_one_piece),
		ON_BOTH(less_may_be_submitted_than_was_reserved),
		ON_BOTH(a_cancelled_buffer_is_never_sent),
		ON_BOTH(a_second_buffer_is_ealready_until_the_first_is_gone),
		ON_BOTH(submitting_more_than_was_reserved_or_twice_is_einval),
		ON_BOTH(a_buffer_of_another_stream_is_einval),
		ON_BOTH(a_buffer_larger_than_a_lane_can_be_is_emsgsize),
		ON_BOTH(writing_and_submitting_keep_their_order),
		ON_BOTH(what_is_held_back_goes_before_a_buffer),
		ON_BOTH(pieces_above_the_small_size_lie_in_the_peers_lane),
		ON_BOTH(a_received_piece_is_the_very_memory_that_was_written),
		ON_BOTH(pieces_may_be_released_in_any_order),
		ON_BOTH(another_thread_may_release_while_the_reader_waits),
		ON_BOTH(pieces_that_are_held_count_against_the_window),
		ON_BOTH(a_rest_of_a_message_is_received_where_reading_left_off),
		ON_BOTH(the_pieces_of_a_large_write_say_which_is_the_last),
		ON_BOTH(receive_without_a_message_is_eagain_or_etimedout),
		ON_BOTH(what_was_read_becomes_the_reply),
		ON_BOTH(what_cannot_become_the_reply_now_is_still_held),
	};

	return RUN_TESTS(tests, argc, argv);
}
