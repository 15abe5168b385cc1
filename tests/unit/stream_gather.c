// SPDX-License-Identifier: Apache-2.0
/*
 * stream_gather.c - tests of small messages whose reader is behind: they gather in one piece, and nobody can tell by reading
 */
#include <string.h>

#include "session/piece.h"
#include "session_pair.h"

#define MANY 100
/* What the cases write: every size is met, among them none; sizes[i] is message i's. */
static const size_t sizes[] = { 1, 64, 0, 7, 112, 0, 0, 500, 64, 1000, 3, 1024, 33, 0, 113, 1025, 64 };
#define SIZES (sizeof(sizes) / sizeof(*sizes))

static struct ends open_one(struct pair *pair)
{
	session_pair_open(pair, NULL, NULL);
	return ends_open(pair);
}

static void write_message(struct shmipc_stream *stream, size_t size, uint32_t tag)
{
	struct shmipc_buffer buffer;

	if (size) {
		pattern_write(stream, size, tag);
		return;
	}
	/* A message without a byte, which write takes for nothing. */
	assert_code(shmipc_stream_reserve(stream, 0, &buffer, FAR), 0);
	assert_code(shmipc_stream_submit(stream, &buffer, 0, 0, FAR), 0);
}

static void write_all(struct shmipc_stream *stream)
{
	uint32_t i;

	for (i = 0; i < SIZES; i++)
		write_message(stream, sizes[i], i);
}

static void read_whole(struct shmipc_stream *stream, size_t size, uint32_t tag)
{
	unsigned char in[2048];
	int last;

	assert_code(shmipc_stream_read_message(stream, in, sizeof(in), &last, FAR), size);
	assert_int_equal(last, 1);
	assert_true(pattern_is(in, size, tag));
}

static void messages_that_gathered_are_read_one_by_one(struct pair *pair)
{
	struct ends ends = open_one(pair);
	uint32_t i;

	write_all(ends.near);
	session_look(pair->server);
	for (i = 0; i < SIZES; i++)
		read_whole(ends.far, sizes[i], i);
	ends_close(pair, &ends);
}

static void small_messages_gather(struct pair *pair)
{
	struct ends ends = open_one(pair);
	uint32_t i, pieces = 0;
	struct piece *piece;

	for (i = 0; i < MANY; i++)
		pattern_write(ends.near, 64, i);
	session_look(pair->server);
	for (piece = ends.far->queue; piece; piece = piece->next)
		pieces++;
	assert_int_equal(pieces, (MANY * 64 + PIECE_SPARE - 1) / PIECE_SPARE);
	assert_int_equal(stream_stats_of(ends.far).messages_received, MANY + 1);
	for (i = 0; i < MANY; i++)
		read_whole(ends.far, 64, i);
	ends_close(pair, &ends);
}

static void what_is_held_in_parts_is_read_in_parts(struct pair *pair)
{
	struct ends ends = open_one(pair);
	unsigned char in[200];
	uint32_t i;
	int last;

	for (i = 0; i < 10; i++)
		pattern_write(ends.near, 100, i);
	session_look(pair->server);
	for (i = 0; i < 10; i++) {
		assert_code(shmipc_stream_read_message(ends.far, in, 60, &last, FAR), 60);
		assert_int_equal(last, 0);
		assert_code(shmipc_stream_read_message(ends.far, in + 60, 140, &last, FAR), 40);
		assert_int_equal(last, 1);
		assert_true(pattern_is(in, 100, i));
	}
	ends_close(pair, &ends);
}

/* Each way to read, in the midst of what gathered, leaves the next one where it should be. */
static void ways_to_read_may_be_mixed(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_piece piece;
	unsigned char in[200];
	const void *seen;
	uint32_t i;
	int last;

	for (i = 0; i < 8; i++)
		pattern_write(ends.near, 50, i);
	session_look(pair->server);
	assert_code(shmipc_stream_read(ends.far, in, 30, FAR), 30);
	assert_code(shmipc_stream_read_message(ends.far, in + 30, 170, &last, FAR), 20);
	assert_int_equal(last, 1);
	assert_true(pattern_is(in, 50, 0));
	assert_true(shmipc_stream_peek(ends.far, 50, &seen, FAR) >= 50);
	assert_true(pattern_is(seen, 50, 1));
	assert_code(shmipc_stream_discard(ends.far, 60, FAR), 60); /* message 1, and the beginning of 2 */
	assert_code(shmipc_stream_receive(ends.far, &piece, FAR), 1);
	assert_int_equal(piece.size, 40);
	assert_int_equal(piece.last, 1);
	pattern_fill(in, 50, 2);
	assert_memory_equal(piece.data, in + 10, 40);
	assert_code(shmipc_stream_release(ends.far, &piece), 0);
	read_whole(ends.far, 50, 3);
	assert_code(shmipc_stream_read(ends.far, in, 200, FAR), 200); /* 4 to 7, and no more */
	for (i = 4; i < 8; i++)
		assert_true(pattern_is(in + (i - 4) * 50, 50, i));
	assert_code(shmipc_stream_read(ends.far, in, 200, 0), -EAGAIN);
	ends_close(pair, &ends);
}

static void received_in_place_they_come_one_by_one(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_piece pieces[SIZES];
	uint32_t i;

	write_all(ends.near);
	session_look(pair->server);
	for (i = 0; i < SIZES; i++) {
		assert_code(shmipc_stream_receive(ends.far, &pieces[i], FAR), 1);
		assert_int_equal(pieces[i].size, sizes[i]);
		assert_int_equal(pieces[i].last, 1);
	}
	assert_int_equal(stream_stats_of(ends.far).pinned, SIZES);
	for (i = 0; i < SIZES; i++) {
		assert_true(pattern_is(pieces[i].data, sizes[i], i));
		assert_code(shmipc_stream_release(ends.far, &pieces[i]), 0);
	}
	ends_close(pair, &ends);
}

static void the_window_opens_with_each_message_that_is_read(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	unsigned char in[64];
	struct ends ends;
	uint32_t i;

	options.window = 4096;
	session_pair_open(pair, NULL, &options);
	ends = ends_open(pair);
	assert_true(fill_up(ends.near, 64) >= 16 * 64);
	session_look(pair->server);
	/* A quarter of the window, of the one piece that holds it all. */
	for (i = 0; i < 4096 / 4 / (64 + MESSAGE_CHARGE) + 1; i++)
		assert_code(shmipc_stream_read(ends.far, in, sizeof(in), FAR), sizeof(in));
	session_look(pair->client);
	assert_code(shmipc_stream_write(ends.near, in, sizeof(in), 0, 0), sizeof(in));
	ends_close(pair, &ends);
}

static void a_close_leaves_nothing_of_them(struct pair *pair)
{
	struct ends ends = open_one(pair);
	unsigned char in[64];
	uint32_t i;

	for (i = 0; i < MANY; i++)
		pattern_write(ends.near, 64, i);
	session_look(pair->server);
	assert_code(shmipc_stream_read(ends.far, in, sizeof(in), FAR), sizeof(in));
	ends_close(pair, &ends);
	session_pair_await_empty(pair);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(messages_that_gathered_are_read_one_by_one),
		ON_BOTH(small_messages_gather),
		ON_BOTH(what_is_held_in_parts_is_read_in_parts),
		ON_BOTH(ways_to_read_may_be_mixed),
		ON_BOTH(received_in_place_they_come_one_by_one),
		ON_BOTH(the_window_opens_with_each_message_that_is_read),
		ON_BOTH(a_close_leaves_nothing_of_them),
	};

	return RUN_TESTS(tests, argc, argv);
}
