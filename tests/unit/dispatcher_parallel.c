// SPDX-License-Identifier: Apache-2.0
/*
 * dispatcher_parallel.c - tests of how many callbacks a dispatcher runs at a time, and of callbacks that block
 */
#include <pthread.h>
#include <stdlib.h>

#include "driven.h"

/* Holds its thread up until the test says otherwise, if its stream begins with "!"; else echoes. */
static void block_or_echo(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;
	char bytes[16];
	ssize_t n = shmipc_stream_read(stream, bytes, sizeof(bytes), 0);

	if (n <= 0)
		return;
	if (bytes[0] != '!') {
		shmipc_stream_write(stream, bytes, (size_t)n, 0, FAR);
		return;
	}
	seen->running++;
	while (!seen->go_on)
		sleep_ms(1);
	seen->running--;
}

static void expect_echo(struct shmipc_stream *stream)
{
	char byte = 0;

	text_write(stream, "e");
	assert_code(shmipc_stream_read(stream, &byte, 1, FAR), 1);
	assert_int_equal(byte, 'e');
}

static void a_slow_callback_holds_up_its_own_stream_alone(struct pair *pair)
{
	struct seen seen = seen_new(block_or_echo);
	struct shmipc_stream *slow[3], *others[5];
	struct sides sides;
	int i, j;

	seen_open(&sides, pair, 4, &seen);
	for (i = 0; i < 3; i++) {
		slow[i] = sides_stream(&sides);
		text_write(slow[i], "!");
		await(seen.running == i + 1);
		/* Those that come while threads are held up are served all the same. */
		for (j = 0; j < 5; j++) {
			others[j] = sides_stream(&sides);
			expect_echo(others[j]);
			expect_echo(others[j]);
		}
		for (j = 0; j < 5; j++)
			shmipc_stream_close(others[j]);
	}
	seen.go_on = true;
	await(!seen.running);
	for (i = 0; i < 3; i++) {
		expect_echo(slow[i]);
		shmipc_stream_close(slow[i]);
	}
	await(seen.ended == seen.streams);
	sides_close(&sides);
}

static void what_arrived_together_is_run_by_as_many_threads_as_there_are(struct pair *pair)
{
	struct seen seen = seen_new(block_or_echo);
	struct shmipc_stream *streams[4];
	struct sides sides;
	int i;

	seen_open(&sides, pair, 4, &seen);
	for (i = 0; i < 4; i++) {
		streams[i] = sides_stream(&sides);
		expect_echo(streams[i]);
	}
	for (i = 0; i < 4; i++)
		text_write(streams[i], "!");
	await(seen.running == 4);
	seen.go_on = true;
	await(!seen.running);
	for (i = 0; i < 4; i++)
		shmipc_stream_close(streams[i]);
	await(seen.ended == 4);
	sides_close(&sides);
}

/* Waits for the rest of its message, eight bytes in all, and answers. */
static void wait_for_rest(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;
	char bytes[8];
	size_t got = 0;
	ssize_t n;

	seen->running++;
	while (got < sizeof(bytes)) {
		n = shmipc_stream_read(stream, bytes + got, sizeof(bytes) - got, got ? FAR : 0);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	seen->running--;
	if (got == sizeof(bytes))
		shmipc_stream_write(stream, bytes, got, 0, FAR);
}

static void expect_rest_read(struct pair *pair, unsigned int threads)
{
	struct seen seen = seen_new(wait_for_rest);
	struct shmipc_stream *stream, *other;
	char bytes[8] = { 0 };
	struct sides sides;
	int i;

	seen_open(&sides, pair, threads, &seen);
	stream = sides_stream(&sides);
	other = sides_stream(&sides);
	for (i = 0; i < 3; i++) {
		text_write(stream, "abcd");
		await(seen.running == 1);
		sleep_ms(5);
		text_write(other, "12345678");
		if (threads > 1) {
			assert_code(shmipc_stream_read(other, bytes, 8, FAR), 8);
			assert_memory_equal(bytes, "12345678", 8);
		}
		text_write(stream, "efgh");
		assert_code(shmipc_stream_read(stream, bytes, 8, FAR), 8);
		assert_memory_equal(bytes, "abcdefgh", 8);
		if (threads == 1) {
			assert_code(shmipc_stream_read(other, bytes, 8, FAR), 8);
			assert_memory_equal(bytes, "12345678", 8);
		}
	}
	shmipc_stream_close(stream);
	shmipc_stream_close(other);
	await(seen.ended == 2);
	sides_close(&sides);
}

static void a_callback_may_block_in_a_read_where_there_is_one_thread(struct pair *pair)
{
	expect_rest_read(pair, 1);
}

static void while_a_callback_blocks_in_a_read_other_threads_run_other_streams(struct pair *pair)
{
	expect_rest_read(pair, 3);
}

struct own {
	_Atomic int inside;
	long next;
};

/* Reads numbers that count up, and looks whether it is alone on its stream. */
static void check_alone(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;
	struct own *own = shmipc_stream_user(stream);
	uint32_t number;
	ssize_t n;

	if (!own) {
		own = calloc(1, sizeof(*own));
		shmipc_stream_set_user(stream, own);
	}
	if (own->inside++)
		seen->most_running = 2;
	while ((n = shmipc_stream_read(stream, &number, sizeof(number), 0)) == sizeof(number)) {
		if (number != own->next++)
			seen->most_running = 3;
		seen->bytes++;
	}
	own->inside--;
}

static void free_own(struct shmipc_stream *stream, int reason, void *arg)
{
	struct seen *seen = arg;

	(void)reason;
	free(shmipc_stream_user(stream));
	shmipc_stream_close(stream);
	seen->ended++;
}

#define WRITERS 4
#define STREAMS 8
#define NUMBERS (TESTS_TSAN ? 500 : 4000)

static void *write_numbers(void *argument)
{
	struct shmipc_session *session = argument;
	struct shmipc_stream *streams[STREAMS];
	intptr_t wrong = 0;
	uint32_t n;
	ssize_t r;
	int i;

	for (i = 0; i < STREAMS; i++)
		assert_code(shmipc_stream_open(session, &streams[i]), 0);
	for (n = 0; n < NUMBERS && !wrong; n++) {
		for (i = 0; i < STREAMS; i++) {
			r = shmipc_stream_write(streams[i], &n, sizeof(n), 0, FAR);
			if (r != sizeof(n))
				wrong = r ? r : -EIO;
		}
	}
	for (i = 0; i < STREAMS; i++)
		shmipc_stream_close(streams[i]);
	return (void *)wrong;
}

static void one_streams_callbacks_are_run_one_at_a_time_and_in_order(struct pair *pair)
{
	struct seen seen = seen_new(check_alone);
	pthread_t writers[WRITERS];
	struct sides sides;
	void *failed;
	int i;

	seen.callbacks.on_end = free_own;
	seen_open(&sides, pair, 4, &seen);
	for (i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_numbers, sides.client), 0);
	for (i = 0; i < WRITERS; i++) {
		pthread_join(writers[i], &failed);
		assert_code((intptr_t)failed, 0);
	}
	/* Where the ring was full, closes leave when the client's side is next looked at. */
	await((shmipc_session_process(sides.client), seen.ended == WRITERS * STREAMS));
	assert_int_equal(seen.most_running, 0);
	assert_int_equal(seen.bytes, (long)WRITERS * STREAMS * NUMBERS);
	sides_close(&sides);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_slow_callback_holds_up_its_own_stream_alone),
		ON_BOTH(what_arrived_together_is_run_by_as_many_threads_as_there_are),
		ON_BOTH(a_callback_may_block_in_a_read_where_there_is_one_thread),
		ON_BOTH(while_a_callback_blocks_in_a_read_other_threads_run_other_streams),
		ON_BOTH(one_streams_callbacks_are_run_one_at_a_time_and_in_order),
	};

	return RUN_TESTS(tests, argc, argv);
}
