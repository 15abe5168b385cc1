// SPDX-License-Identifier: Apache-2.0
/*
 * dispatcher_callbacks.c - tests of callbacks that a dispatcher's threads run: which, when, and what may be closed in them
 *
 * How many run at a time is dispatcher_parallel.c's.
 */

#include "driven.h"

static void expect_all_bytes_before_the_end(struct pair *pair, unsigned int threads)
{
	struct seen seen = seen_new(seen_read_all);
	struct shmipc_stream *stream;
	char bytes[1000] = { 0 };
	struct sides sides;
	long sent = 0;
	int i;

	seen_open(&sides, pair, threads, &seen);
	for (i = 0; i < 500; i++) {
		stream = sides_stream(&sides);
		assert_code(shmipc_stream_write(stream, bytes, (size_t)(1 + i), 0, FAR), 1 + i);
		sent += 1 + i;
		shmipc_stream_close(stream);
	}
	await(seen.ended == 500);
	assert_int_equal(seen.streams, 500);
	assert_int_equal(seen.bytes, sent);
	assert_int_equal(seen.last_reason, 0);
	sides_close(&sides);
}

static void data_followed_at_once_by_close_arrives(struct pair *pair)
{
	expect_all_bytes_before_the_end(pair, 1);
	expect_all_bytes_before_the_end(pair, 4);
}

static void the_sessions_end_is_reported_last_and_once(struct pair *pair)
{
	struct seen seen = seen_new(seen_read_all);
	struct shmipc_stream *streams[20];
	struct sides sides;
	int i;

	seen_open(&sides, pair, 3, &seen);
	for (i = 0; i < 20; i++) {
		streams[i] = sides_stream(&sides);
		text_write(streams[i], "x");
	}
	await(seen.bytes == 20);
	shmipc_session_shutdown(sides.client);
	await(seen.session_ended);
	assert_int_equal(seen.ended, 20);
	assert_int_equal(seen.last_reason, -EPIPE);
	for (i = 0; i < 20; i++)
		shmipc_stream_close(streams[i]);
	sleep_ms(20);
	assert_int_equal(seen.session_ended, 1);
	sides_close(&sides);
}

static void close_own(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;

	seen->readable++;
	shmipc_stream_close(stream);
}

static void a_callback_may_close_its_own_stream(struct pair *pair)
{
	struct seen seen = seen_new(close_own);
	struct shmipc_stream *stream;
	struct sides sides;
	char byte;
	int i;

	seen_open(&sides, pair, 2, &seen);
	for (i = 1; i <= 50; i++) {
		stream = sides_stream(&sides);
		text_write(stream, "x");
		assert_code(shmipc_stream_read(stream, &byte, 1, FAR), 0);
		shmipc_stream_close(stream);
		assert_int_equal(seen.readable, i);
	}
	assert_int_equal(seen.ended, 0);
	sides_close(&sides);
}

static void close_session(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;
	struct sides *sides = seen->more;

	shmipc_session_close(sides->server);
	sides->server = NULL;
	shmipc_stream_close(stream);
	seen->readable++;
}

static void a_callback_may_close_its_session(struct pair *pair)
{
	struct seen seen = seen_new(close_session);
	struct shmipc_stream *stream;
	struct sides sides;

	seen.more = &sides;
	seen_open(&sides, pair, 2, &seen);
	stream = sides_stream(&sides);
	text_write(stream, "x");
	await(seen.readable);
	await(shmipc_stream_wait(stream, SHMIPC_READABLE, 0) == SHMIPC_READABLE);
	assert_code(shmipc_stream_write(stream, "y", 1, 0, FAR), -EPIPE);
	shmipc_stream_close(stream);
	sides_close(&sides);
}

static void close_first(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;
	char byte;

	shmipc_stream_read(stream, &byte, 1, 0);
	if (stream == seen->first || seen->readable)
		return;
	seen->readable++;
	shmipc_stream_close(seen->first);
}

static void a_callback_may_close_another_stream(struct pair *pair)
{
	struct seen seen = seen_new(close_first);
	struct shmipc_stream *first, *second;
	struct sides sides;
	char byte;

	seen_open(&sides, pair, 1, &seen);
	first = sides_stream(&sides);
	text_write(first, "x");
	await(seen.streams == 1);
	second = sides_stream(&sides);
	text_write(second, "x");
	assert_code(shmipc_stream_read(first, &byte, 1, FAR), 0);
	assert_int_equal(seen.readable, 1);
	shmipc_stream_close(first);
	shmipc_stream_close(second);
	await(seen.ended == 1);
	sides_close(&sides);
}

static void read_nothing(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;

	(void)stream;
	seen->readable++;
}

static void a_callback_that_reads_nothing_is_not_called_again_for_nothing(struct pair *pair)
{
	struct seen seen = seen_new(read_nothing);
	struct shmipc_stream *stream;
	struct sides sides;
	int i;

	seen_open(&sides, pair, 2, &seen);
	stream = sides_stream(&sides);
	text_write(stream, "x");
	await(seen.readable == 1);
	sleep_ms(50);
	assert_int_equal(seen.readable, 1);
	for (i = 2; i < 10; i++) {
		text_write(stream, "more");
		await(seen.readable == i);
	}
	sleep_ms(20);
	assert_int_equal(seen.readable, 9);
	shmipc_stream_close(stream);
	await(seen.ended == 1);
	sides_close(&sides);
}

static void read_one_byte(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;
	char byte;

	seen->readable++;
	if (shmipc_stream_read(stream, &byte, 1, 0) > 0)
		seen->bytes++;
}

static void a_callback_that_left_some_is_called_again(struct pair *pair)
{
	struct seen seen = seen_new(read_one_byte);
	struct shmipc_stream *stream;
	struct sides sides;

	seen_open(&sides, pair, 1, &seen);
	stream = sides_stream(&sides);
	text_write(stream, "0123456789");
	await(seen.bytes == 10);
	shmipc_stream_close(stream);
	await(seen.ended == 1);
	sides_close(&sides);
}

static void callbacks_set_after_the_session_ended_are_called(struct pair *pair)
{
	struct seen seen = seen_new(seen_read_all);
	struct shmipc_stream *stream;
	struct sides sides;

	seen.session_callbacks.on_stream = NULL;
	seen_open(&sides, pair, 2, &seen);
	assert_code(shmipc_stream_open(sides.server, &stream), 0);
	shmipc_session_shutdown(sides.client);
	await(seen.session_ended == 1);
	sleep_ms(20);
	assert_code(shmipc_stream_set_callbacks(stream, &seen.callbacks, &seen), 0);
	await(seen.ended == 1);
	assert_int_equal(seen.last_reason, -EPIPE);
	sides_close(&sides);
}

static void note_writable(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;

	(void)stream;
	seen->readable++;
}

static void a_callback_for_writing_comes_when_the_reader_has_read(struct pair *pair)
{
	struct seen seen = seen_new(NULL);
	struct shmipc_stream *stream, *far;
	char bytes[4096] = { 0 };
	struct sides sides;
	size_t full = 0;
	ssize_t n;

	seen.session_callbacks.on_stream = NULL;
	seen.callbacks.on_writable = note_writable;
	seen_open(&sides, pair, 2, &seen);
	assert_code(shmipc_stream_open(sides.server, &stream), 0);
	assert_code(shmipc_stream_set_callbacks(stream, &seen.callbacks, &seen), 0);
	while ((n = shmipc_stream_write(stream, bytes, sizeof(bytes), 0, 0)) > 0)
		full += (size_t)n;
	assert_code(n, -EAGAIN);
	sleep_ms(20);
	assert_int_equal(seen.readable, 0);
	assert_code(shmipc_session_accept(sides.client, &far, FAR), 0);
	assert_code(shmipc_stream_discard(far, full, FAR), (long long)full);
	await(seen.readable == 1);
	shmipc_stream_close(far);
	await(seen.ended == 1);
	sides_close(&sides);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(data_followed_at_once_by_close_arrives),
		ON_BOTH(the_sessions_end_is_reported_last_and_once),
		ON_BOTH(a_callback_may_close_its_own_stream),
		ON_BOTH(a_callback_may_close_its_session),
		ON_BOTH(a_callback_may_close_another_stream),
		ON_BOTH(a_callback_that_reads_nothing_is_not_called_again_for_nothing),
		ON_BOTH(a_callback_that_left_some_is_called_again),
		ON_BOTH(callbacks_set_after_the_session_ended_are_called),
		ON_BOTH(a_callback_for_writing_comes_when_the_reader_has_read),
	};

	return RUN_TESTS(tests, argc, argv);
}
