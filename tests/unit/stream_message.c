// SPDX-License-Identifier: Apache-2.0
/*
 * stream_message.c - tests of message boundaries: who makes them, and that read_message keeps to them
 */
#include <stdlib.h>
#include <string.h>

#include "session_pair.h"

static struct ends open_one(struct pair *pair)
{
	session_pair_open(pair, NULL, NULL);
	return ends_open(pair);
}

static void take_message(struct shmipc_stream *stream, size_t size, uint32_t tag)
{
	char *data = malloc(size + 100);
	int last = 7;

	assert_non_null(data);
	memset(data, 0x5a, size + 100);
	assert_code(shmipc_stream_read_message(stream, data, size + 100, &last, FAR), (long long)size);
	assert_int_equal(last, 1);
	assert_true(pattern_is(data, size, tag));
	assert_int_equal(data[size], 0x5a);
	free(data);
}

static void submit(struct shmipc_stream *stream, size_t size, uint32_t tag, unsigned int flags)
{
	struct shmipc_buffer buffer;

	assert_code(shmipc_stream_reserve(stream, size, &buffer, FAR), 0);
	pattern_fill(buffer.data, size, tag);
	assert_code(shmipc_stream_submit(stream, &buffer, size, flags, FAR), 0);
}

static void each_write_and_each_submit_is_one_message(struct pair *pair)
{
	static const size_t sizes[] = { 1, 2, 111, 112, 113, 4096, 4097, 32767, 32768, 32769, 65536, 98305, 300000 };
	struct ends ends = open_one(pair);
	uint32_t i, n = sizeof(sizes) / sizeof(*sizes);

	for (i = 0; i < n; i++)
		pattern_write(ends.near, sizes[i], i);
	for (i = 0; i < n; i++)
		take_message(ends.far, sizes[i], i);
	for (i = 0; i < n; i++)
		submit(ends.near, sizes[i], i, 0);
	for (i = 0; i < n; i++)
		take_message(ends.far, sizes[i], i);
	ends_close(pair, &ends);
}

static void a_message_may_be_empty(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_buffer buffer;
	char data[10];
	int last = 0;

	assert_code(shmipc_stream_reserve(ends.near, 10, &buffer, FAR), 0);
	assert_code(shmipc_stream_submit(ends.near, &buffer, 0, 0, FAR), 0);
	pattern_write(ends.near, 5, 1);
	assert_code(shmipc_stream_read_message(ends.far, data, sizeof(data), &last, FAR), 0);
	assert_int_equal(last, 1);
	take_message(ends.far, 5, 1);
	assert_code(shmipc_stream_end(ends.near), 0);
	assert_code(shmipc_stream_read_message(ends.far, data, sizeof(data), &last, FAR), 0);
	assert_int_equal(last, 0);
	ends_close(pair, &ends);
}

static void an_empty_message_is_not_the_end_for_who_reads_bytes(struct pair *pair)
{
	struct ends ends = open_one(pair);
	struct shmipc_buffer buffer;
	const void *data;
	char in[10];

	assert_code(shmipc_stream_reserve(ends.near, 10, &buffer, FAR), 0);
	assert_code(shmipc_stream_submit(ends.near, &buffer, 0, 0, FAR), 0);
	assert_code(shmipc_stream_read(ends.far, in, sizeof(in), 0), -EAGAIN);
	assert_code(shmipc_stream_peek(ends.far, 1, &data, 0), -EAGAIN);
	assert_code(shmipc_stream_reserve(ends.near, 10, &buffer, FAR), 0);
	assert_code(shmipc_stream_submit(ends.near, &buffer, 0, 0, FAR), 0);
	pattern_write(ends.near, 5, 1);
	assert_code(shmipc_stream_read(ends.far, in, sizeof(in), FAR), 5);
	ends_close(pair, &ends);
}

static void a_message_goes_on_with_more_through_every_way_to_write(struct pair *pair)
{
	struct ends ends = open_one(pair);
	static unsigned char out[400000];
	size_t at = 0;

	pattern_fill(out, sizeof(out), 5);
	assert_code(shmipc_stream_write(ends.near, out, 10, SHMIPC_MORE, FAR), 10);
	at = 10;
	submit(ends.near, 1, 0, SHMIPC_MORE); /* of another pattern: looked at below */
	out[at++] = 7;
	assert_code(shmipc_stream_write(ends.near, out + at, 100000, SHMIPC_MORE, FAR), 100000);
	at += 100000;
	assert_code(shmipc_stream_writev(ends.near, &(struct iovec){ out + at, 33 }, 1, SHMIPC_MORE, FAR), 33);
	at += 33;
	assert_code(shmipc_stream_write(ends.near, out + at, sizeof(out) - at, 0, FAR), (long long)(sizeof(out) - at));
	pattern_write(ends.near, 3, 6);
	{
		static unsigned char in[sizeof(out) + 10];
		int last = 0;

		assert_code(shmipc_stream_read_message(ends.far, in, sizeof(in), &last, FAR), sizeof(out));
		assert_int_equal(last, 1);
		assert_memory_equal(in, out, sizeof(out));
	}
	take_message(ends.far, 3, 6);
	ends_close(pair, &ends);
}

static void a_flush_sends_what_was_held_back_and_the_message_goes_on(struct pair *pair)
{
	struct ends ends = open_one(pair);
	char in[10];
	int last = 7;

	assert_code(shmipc_stream_write(ends.near, "abc", 3, SHMIPC_MORE, FAR), 3);
	assert_code(shmipc_stream_flush(ends.near, FAR), 0);
	assert_code(shmipc_stream_read(ends.far, in, sizeof(in), FAR), 3);
	assert_code(shmipc_stream_flush(ends.near, FAR), 0);
	assert_code(shmipc_stream_read(ends.far, in, sizeof(in), 0), -EAGAIN);
	assert_code(shmipc_stream_write(ends.near, "d", 1, 0, FAR), 1);
	assert_code(shmipc_stream_read_message(ends.far, in, sizeof(in), &last, FAR), 1);
	assert_int_equal(last, 1);
	ends_close(pair, &ends);
}

static void a_write_of_nothing_ends_the_message_that_was_held_back(struct pair *pair)
{
	struct ends ends = open_one(pair);
	char in[10];
	int last = 7;

	assert_code(shmipc_stream_write(ends.near, "abc", 3, SHMIPC_MORE, FAR), 3);
	assert_code(shmipc_stream_write(ends.near, NULL, 0, 0, FAR), 0);
	assert_code(shmipc_stream_write(ends.near, "d", 1, 0, FAR), 1);
	assert_code(shmipc_stream_read_message(ends.far, in, sizeof(in), &last, FAR), 3);
	assert_int_equal(last, 1);
	assert_code(shmipc_stream_read_message(ends.far, in, sizeof(in), &last, FAR), 1);
	assert_int_equal(last, 1);
	ends_close(pair, &ends);
}

static void a_message_larger_than_the_place_is_read_in_parts(struct pair *pair)
{
	static unsigned char in[100000];
	struct ends ends = open_one(pair);
	size_t at = 0;
	int last = 0;
	ssize_t n;

	pattern_write(ends.near, sizeof(in), 1);
	pattern_write(ends.near, 10, 2);
	while (!last) {
		size_t most = sizeof(in) - at < 7777 ? sizeof(in) - at : 7777;

		n = shmipc_stream_read_message(ends.far, in + at, most, &last, FAR);
		assert_int_equal(n, most);
		at += (size_t)n;
		assert_int_equal(last, at == sizeof(in));
	}
	assert_true(pattern_is(in, sizeof(in), 1));
	take_message(ends.far, 10, 2);
	ends_close(pair, &ends);
}

static void a_place_that_fits_exactly_gets_the_message_and_its_end(struct pair *pair)
{
	static const size_t sizes[] = { 1, 112, 113, 4097, 32768, 32769, 100000 };
	static unsigned char in[100000];
	struct ends ends = open_one(pair);
	uint32_t i;
	int last;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		pattern_write(ends.near, sizes[i], i);
		last = 7;
		assert_code(shmipc_stream_read_message(ends.far, in, sizes[i], &last, FAR), (long long)sizes[i]);
		assert_int_equal(last, 1);
		assert_true(pattern_is(in, sizes[i], i));
	}
	ends_close(pair, &ends);
}

static void after_a_deadline_the_part_that_came_is_returned_without_last(struct pair *pair)
{
	static unsigned char in[100], out[90];
	struct ends ends = open_one(pair);
	int last = 7;

	pattern_fill(out, sizeof(out), 1);
	assert_code(shmipc_stream_read_message(ends.far, in, sizeof(in), &last, 0), -EAGAIN);
	assert_code(shmipc_stream_read_message(ends.far, in, sizeof(in), &last, soon(5)), -ETIMEDOUT);
	submit(ends.near, 50, 1, SHMIPC_MORE); /* sent at once */
	assert_code(shmipc_stream_read_message(ends.far, in, sizeof(in), &last, soon(5)), 50);
	assert_int_equal(last, 0);
	assert_code(shmipc_stream_write(ends.near, out + 50, 40, 0, FAR), 40);
	assert_code(shmipc_stream_read_message(ends.far, in + 50, sizeof(in) - 50, &last, FAR), 40);
	assert_int_equal(last, 1);
	assert_memory_equal(in, out, 90);
	ends_close(pair, &ends);
}

static void a_message_that_never_ends_is_read_at_the_end_without_last(struct pair *pair)
{
	struct ends ends = open_one(pair);
	char in[100];
	int last = 7;

	assert_code(shmipc_stream_write(ends.near, "unfinished", 10, SHMIPC_MORE, FAR), 10);
	assert_code(shmipc_stream_reset(ends.far, 0), 0);
	shmipc_stream_close(ends.near);
	shmipc_stream_close(ends.far);
	session_pair_await_empty(pair);
	ends = ends_open(pair);
	assert_code(shmipc_stream_write(ends.near, "unfinished", 10, SHMIPC_MORE, FAR), 10);
	shmipc_stream_close(ends.near);
	assert_code(shmipc_stream_read_message(ends.far, in, sizeof(in), &last, FAR), 10);
	assert_memory_equal(in, "unfinished", 10);
	assert_code(shmipc_stream_read_message(ends.far, in, sizeof(in), &last, FAR), 0);
	assert_int_equal(last, 0);
	shmipc_stream_close(ends.far);
	session_pair_await_empty(pair);
}

static void reading_messages_and_bytes_may_be_mixed(struct pair *pair)
{
	struct ends ends = open_one(pair);
	unsigned char in[1000];
	int last = 7;

	pattern_write(ends.near, 500, 1);
	pattern_write(ends.near, 600, 2);
	assert_code(shmipc_stream_read(ends.far, in, 100, FAR), 100);
	assert_code(shmipc_stream_read_message(ends.far, in + 100, 900, &last, FAR), 400);
	assert_int_equal(last, 1);
	assert_true(pattern_is(in, 500, 1));
	assert_code(shmipc_stream_discard(ends.far, 599, FAR), 599);
	assert_code(shmipc_stream_read_message(ends.far, in, 900, &last, FAR), 1);
	assert_int_equal(last, 1);
	ends_close(pair, &ends);
}

static void last_may_be_null(struct pair *pair)
{
	struct ends ends = open_one(pair);
	char in[10];

	pattern_write(ends.near, 5, 1);
	assert_code(shmipc_stream_read_message(ends.far, in, sizeof(in), NULL, FAR), 5);
	ends_close(pair, &ends);
}

static int answer(struct worker *worker)
{
	struct call *call = (struct call *)worker;
	static unsigned char in[200000], out[200000];
	size_t i;
	ssize_t n;
	int last;

	for (;;) {
		n = shmipc_stream_read_message(call->stream, in, sizeof(in), &last, FAR);
		if (n < 0 || !last)
			return (int)n;
		for (i = 0; i < (size_t)n; i++)
			out[n - 1 - (ssize_t)i] = in[i];
		if (shmipc_stream_write(call->stream, out, (size_t)n, 0, FAR) != n)
			return -1;
	}
}

static void a_call_brings_the_reply_to_its_own_request(struct pair *pair)
{
	static const size_t sizes[] = { 1, 2, 64, 112, 113, 4000, 40000, 200000 };
	static unsigned char out[200000], in[200000];
	struct ends ends = open_one(pair);
	struct call call = { .worker.call = answer, .stream = ends.far };
	size_t i, j, size;

	worker_start(&call.worker);
	for (i = 0; i < 200; i++) {
		size = sizes[i % (sizeof(sizes) / sizeof(*sizes))];
		pattern_fill(out, size, (uint32_t)i);
		assert_code(shmipc_stream_call(ends.near, out, size, in, sizeof(in), FAR), (long long)size);
		for (j = 0; j < size && in[j] == out[size - 1 - j]; j++)
			;
		assert_int_equal(j, size);
	}
	assert_code(shmipc_stream_end(ends.near), 0);
	assert_code(worker_join(&call.worker), 0);
	ends_close(pair, &ends);
}

static void a_reply_that_is_too_long_is_emsgsize_and_its_rest_can_be_read(struct pair *pair)
{
	struct ends ends = open_one(pair);
	unsigned char in[1000];
	int last = 7;

	pattern_write(ends.far, 1000, 1);
	assert_code(shmipc_stream_call(ends.near, "?", 1, in, 400, FAR), -EMSGSIZE);
	assert_code(shmipc_stream_read_message(ends.near, in + 400, 600, &last, FAR), 600);
	assert_int_equal(last, 1);
	assert_true(pattern_is(in, 1000, 1));
	assert_code(shmipc_stream_read(ends.far, in, 1, FAR), 1);
	ends_close(pair, &ends);
}

static void a_call_without_a_reply_keeps_its_deadline(struct pair *pair)
{
	struct ends ends = open_one(pair);
	int64_t deadline = soon(20);
	char in[10];

	assert_code(shmipc_stream_call(ends.near, "?", 1, in, sizeof(in), deadline), -ETIMEDOUT);
	assert_true(now_ns() >= deadline);
	assert_code(shmipc_stream_call(ends.near, "?", 1, in, sizeof(in), 0), -EAGAIN);
	assert_code(shmipc_stream_discard(ends.far, 2, FAR), 2);
	shmipc_stream_close(ends.far);
	assert_true(shmipc_stream_call(ends.near, "?", 1, in, sizeof(in), FAR) <= 0);
	assert_code(shmipc_stream_call(ends.near, "?", 1, in, sizeof(in), FAR), -EPIPE);
	shmipc_stream_close(ends.near);
	session_pair_await_empty(pair);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(each_write_and_each_submit_is_one_message),
		ON_BOTH(a_message_may_be_empty),
		ON_BOTH(an_empty_message_is_not_the_end_for_who_reads_bytes),
		ON_BOTH(a_message_goes_on_with_more_through_every_way_to_write),
		ON_BOTH(a_flush_sends_what_was_held_back_and_the_message_goes_on),
		ON_BOTH(a_write_of_nothing_ends_the_message_that_was_held_back),
		ON_BOTH(a_message_larger_than_the_place_is_read_in_parts),
		ON_BOTH(a_place_that_fits_exactly_gets_the_message_and_its_end),
		ON_BOTH(after_a_deadline_the_part_that_came_is_returned_without_last),
		ON_BOTH(a_message_that_never_ends_is_read_at_the_end_without_last),
		ON_BOTH(reading_messages_and_bytes_may_be_mixed),
		ON_BOTH(last_may_be_null),
		ON_BOTH(a_call_brings_the_reply_to_its_own_request),
		ON_BOTH(a_reply_that_is_too_long_is_emsgsize_and_its_rest_can_be_read),
		ON_BOTH(a_call_without_a_reply_keeps_its_deadline),
	};

	return RUN_TESTS(tests, argc, argv);
}
