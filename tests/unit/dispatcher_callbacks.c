// SPDX-License-Identifier: Apache-2.0
/*
 * dispatcher_callbacks.c - tests of callbacks that a dispatcher's threads run: which, when, how many at a time
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

struct sides {
	struct shmipc_dispatcher *dispatcher;
	struct shmipc_session *client, *server;
};

/* The server's side is driven, with these callbacks. */
static void open_sides(struct sides *sides, const struct pair *pair, unsigned int threads,
		       const struct shmipc_session_callbacks *callbacks, void *arg)
{
	assert_code(shmipc_dispatcher_create(threads, &sides->dispatcher), 0);
	server_sessions(pair, &sides->client, &sides->server);
	assert_code(shmipc_session_set_callbacks(sides->server, callbacks, arg), 0);
	assert_code(shmipc_dispatcher_add_session(sides->dispatcher, sides->server), 0);
}

static void close_sides(struct sides *sides)
{
	shmipc_session_close(sides->client);
	shmipc_session_close(sides->server);
	shmipc_dispatcher_close(sides->dispatcher);
}

/* What the stream callbacks of a test do and saw. */
struct seen {
	struct shmipc_stream_callbacks callbacks;
	struct shmipc_session_callbacks session_callbacks;
	_Atomic int streams, readable, ended, session_ended;
	_Atomic int running, most_running;
	_Atomic long bytes;
	_Atomic bool go_on;
	struct shmipc_stream *_Atomic last, *_Atomic first;
	_Atomic int last_reason;
	void *more;
};

static void take_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;

	(void)session;
	if (!seen->first)
		seen->first = stream;
	seen->last = stream;
	seen->streams++;
	shmipc_stream_set_callbacks(stream, &seen->callbacks, seen);
}

static void note_session_end(struct shmipc_session *session, int reason, void *arg)
{
	struct seen *seen = arg;

	(void)session;
	(void)reason;
	seen->session_ended++;
}

static void read_all(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;
	char bytes[256];
	ssize_t n;

	seen->readable++;
	while ((n = shmipc_stream_read(stream, bytes, sizeof(bytes), 0)) > 0)
		seen->bytes += n;
}

static void close_stream(struct shmipc_stream *stream, int reason, void *arg)
{
	struct seen *seen = arg;

	seen->last_reason = reason;
	seen->ended++;
	shmipc_stream_close(stream);
}

static struct seen new_seen(void (*on_readable)(struct shmipc_stream *stream, void *arg))
{
	return (struct seen){
		.callbacks = { .on_readable = on_readable, .on_end = close_stream },
		.session_callbacks = { .on_stream = take_stream, .on_end = note_session_end },
	};
}

static void open_seen(struct sides *sides, const struct pair *pair, unsigned int threads, struct seen *seen)
{
	open_sides(sides, pair, threads, &seen->session_callbacks, seen);
}

static struct shmipc_stream *open_stream(struct sides *sides)
{
	struct shmipc_stream *stream = NULL;

	assert_code(shmipc_stream_open(sides->client, &stream), 0);
	return stream;
}

static void write_to(struct shmipc_stream *stream, const char *text)
{
	assert_code(shmipc_stream_write(stream, text, strlen(text), 0, FAR), (long long)strlen(text));
}

static void expect_all_bytes_before_the_end(struct pair *pair, unsigned int threads)
{
	struct seen seen = new_seen(read_all);
	struct shmipc_stream *stream;
	char bytes[1000] = { 0 };
	struct sides sides;
	long sent = 0;
	int i;

	open_seen(&sides, pair, threads, &seen);
	for (i = 0; i < 500; i++) {
		stream = open_stream(&sides);
		assert_code(shmipc_stream_write(stream, bytes, (size_t)(1 + i), 0, FAR), 1 + i);
		sent += 1 + i;
		shmipc_stream_close(stream);
	}
	await(seen.ended == 500);
	assert_int_equal(seen.streams, 500);
	assert_int_equal(seen.bytes, sent);
	assert_int_equal(seen.last_reason, 0);
	close_sides(&sides);
}

static void data_followed_at_once_by_close_arrives(struct pair *pair)
{
	expect_all_bytes_before_the_end(pair, 1);
	expect_all_bytes_before_the_end(pair, 4);
}

static void the_sessions_end_is_reported_last_and_once(struct pair *pair)
{
	struct seen seen = new_seen(read_all);
	struct shmipc_stream *streams[20];
	struct sides sides;
	int i;

	open_seen(&sides, pair, 3, &seen);
	for (i = 0; i < 20; i++) {
		streams[i] = open_stream(&sides);
		write_to(streams[i], "x");
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
	close_sides(&sides);
}

static void close_own(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;

	seen->readable++;
	shmipc_stream_close(stream);
}

static void a_callback_may_close_its_own_stream(struct pair *pair)
{
	struct seen seen = new_seen(close_own);
	struct shmipc_stream *stream;
	struct sides sides;
	char byte;
	int i;

	open_seen(&sides, pair, 2, &seen);
	for (i = 1; i <= 50; i++) {
		stream = open_stream(&sides);
		write_to(stream, "x");
		assert_code(shmipc_stream_read(stream, &byte, 1, FAR), 0);
		shmipc_stream_close(stream);
		assert_int_equal(seen.readable, i);
	}
	assert_int_equal(seen.ended, 0);
	close_sides(&sides);
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
	struct seen seen = new_seen(close_session);
	struct shmipc_stream *stream;
	struct sides sides;

	seen.more = &sides;
	open_seen(&sides, pair, 2, &seen);
	stream = open_stream(&sides);
	write_to(stream, "x");
	await(seen.readable);
	await(shmipc_stream_wait(stream, SHMIPC_READABLE, 0) == SHMIPC_READABLE);
	assert_code(shmipc_stream_write(stream, "y", 1, 0, FAR), -EPIPE);
	shmipc_stream_close(stream);
	close_sides(&sides);
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
	struct seen seen = new_seen(close_first);
	struct shmipc_stream *first, *second;
	struct sides sides;
	char byte;

	open_seen(&sides, pair, 1, &seen);
	first = open_stream(&sides);
	write_to(first, "x");
	await(seen.streams == 1);
	second = open_stream(&sides);
	write_to(second, "x");
	assert_code(shmipc_stream_read(first, &byte, 1, FAR), 0);
	assert_int_equal(seen.readable, 1);
	shmipc_stream_close(first);
	shmipc_stream_close(second);
	await(seen.ended == 1);
	close_sides(&sides);
}

static void read_nothing(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;

	(void)stream;
	seen->readable++;
}

static void a_callback_that_reads_nothing_is_not_called_again_for_nothing(struct pair *pair)
{
	struct seen seen = new_seen(read_nothing);
	struct shmipc_stream *stream;
	struct sides sides;
	int i;

	open_seen(&sides, pair, 2, &seen);
	stream = open_stream(&sides);
	write_to(stream, "x");
	await(seen.readable == 1);
	sleep_ms(50);
	assert_int_equal(seen.readable, 1);
	for (i = 2; i < 10; i++) {
		write_to(stream, "more");
		await(seen.readable == i);
	}
	sleep_ms(20);
	assert_int_equal(seen.readable, 9);
	shmipc_stream_close(stream);
	await(seen.ended == 1);
	close_sides(&sides);
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
	struct seen seen = new_seen(read_one_byte);
	struct shmipc_stream *stream;
	struct sides sides;

	open_seen(&sides, pair, 1, &seen);
	stream = open_stream(&sides);
	write_to(stream, "0123456789");
	await(seen.bytes == 10);
	shmipc_stream_close(stream);
	await(seen.ended == 1);
	close_sides(&sides);
}

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

	write_to(stream, "e");
	assert_code(shmipc_stream_read(stream, &byte, 1, FAR), 1);
	assert_int_equal(byte, 'e');
}

static void a_slow_callback_holds_up_its_own_stream_alone(struct pair *pair)
{
	struct seen seen = new_seen(block_or_echo);
	struct shmipc_stream *slow[3], *others[5];
	struct sides sides;
	int i, j;

	open_seen(&sides, pair, 4, &seen);
	for (i = 0; i < 3; i++) {
		slow[i] = open_stream(&sides);
		write_to(slow[i], "!");
		await(seen.running == i + 1);
		/* Those that come while threads are held up are served all the same. */
		for (j = 0; j < 5; j++) {
			others[j] = open_stream(&sides);
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
	close_sides(&sides);
}

static void what_arrived_together_is_run_by_as_many_threads_as_there_are(struct pair *pair)
{
	struct seen seen = new_seen(block_or_echo);
	struct shmipc_stream *streams[4];
	struct sides sides;
	int i;

	open_seen(&sides, pair, 4, &seen);
	for (i = 0; i < 4; i++) {
		streams[i] = open_stream(&sides);
		expect_echo(streams[i]);
	}
	for (i = 0; i < 4; i++)
		write_to(streams[i], "!");
	await(seen.running == 4);
	seen.go_on = true;
	await(!seen.running);
	for (i = 0; i < 4; i++)
		shmipc_stream_close(streams[i]);
	await(seen.ended == 4);
	close_sides(&sides);
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
	struct seen seen = new_seen(wait_for_rest);
	struct shmipc_stream *stream, *other;
	char bytes[8] = { 0 };
	struct sides sides;
	int i;

	open_seen(&sides, pair, threads, &seen);
	stream = open_stream(&sides);
	other = open_stream(&sides);
	for (i = 0; i < 3; i++) {
		write_to(stream, "abcd");
		await(seen.running == 1);
		sleep_ms(5);
		write_to(other, "12345678");
		if (threads > 1) {
			assert_code(shmipc_stream_read(other, bytes, 8, FAR), 8);
			assert_memory_equal(bytes, "12345678", 8);
		}
		write_to(stream, "efgh");
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
	close_sides(&sides);
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
	struct seen seen = new_seen(check_alone);
	pthread_t writers[WRITERS];
	struct sides sides;
	void *failed;
	int i;

	seen.callbacks.on_end = free_own;
	open_seen(&sides, pair, 4, &seen);
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
	close_sides(&sides);
}

static void callbacks_set_after_the_session_ended_are_called(struct pair *pair)
{
	struct seen seen = new_seen(read_all);
	struct shmipc_stream *stream;
	struct sides sides;

	seen.session_callbacks.on_stream = NULL;
	open_seen(&sides, pair, 2, &seen);
	assert_code(shmipc_stream_open(sides.server, &stream), 0);
	shmipc_session_shutdown(sides.client);
	await(seen.session_ended == 1);
	sleep_ms(20);
	assert_code(shmipc_stream_set_callbacks(stream, &seen.callbacks, &seen), 0);
	await(seen.ended == 1);
	assert_int_equal(seen.last_reason, -EPIPE);
	close_sides(&sides);
}

static void note_writable(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;

	(void)stream;
	seen->readable++;
}

static void a_callback_for_writing_comes_when_the_reader_has_read(struct pair *pair)
{
	struct seen seen = new_seen(NULL);
	struct shmipc_stream *stream, *far;
	char bytes[4096] = { 0 };
	struct sides sides;
	size_t full = 0;
	ssize_t n;

	seen.session_callbacks.on_stream = NULL;
	seen.callbacks.on_writable = note_writable;
	open_seen(&sides, pair, 2, &seen);
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
	close_sides(&sides);
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
		ON_BOTH(a_slow_callback_holds_up_its_own_stream_alone),
		ON_BOTH(what_arrived_together_is_run_by_as_many_threads_as_there_are),
		ON_BOTH(a_callback_may_block_in_a_read_where_there_is_one_thread),
		ON_BOTH(while_a_callback_blocks_in_a_read_other_threads_run_other_streams),
		ON_BOTH(one_streams_callbacks_are_run_one_at_a_time_and_in_order),
		ON_BOTH(callbacks_set_after_the_session_ended_are_called),
		ON_BOTH(a_callback_for_writing_comes_when_the_reader_has_read),
	};

	return RUN_TESTS(tests, argc, argv);
}
