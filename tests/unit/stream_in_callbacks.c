// SPDX-License-Identifier: Apache-2.0
/*
 * stream_in_callbacks.c - tests of what may be done in callbacks, and that of many none is lost
 */
#include <string.h>

#include "callback_record.h"

static void a_stream_may_be_closed_in_its_own_callback(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;
	int i;

	record_open(pair, &record);
	record.close = true;
	for (i = 0; i < 10; i++) {
		near = record_stream(pair);
		pattern_write(near, i % 2 ? 40000 : 40, 1);
		if (i % 3 == 0)
			assert_code(shmipc_stream_end(near), 0);
		record_process(pair->server);
		assert_null(record.stream);
		/* The peer is told. */
		assert_code(shmipc_stream_read(near, &(char){ 0 }, 1, FAR), 0);
		shmipc_stream_close(near);
	}
	assert_int_equal(record_count(&record, 'e'), 0);
	session_pair_await_empty(pair);
}

static void close_session_and_streams(struct shmipc_stream *stream, void *arg)
{
	struct record *record = arg;
	struct shmipc_session *session = record->session;

	record_note(record, 'r');
	shmipc_stream_close(stream);
	record->session = NULL;
	shmipc_session_close(session);
}

static void a_session_may_be_closed_in_a_streams_callback(struct pair *pair)
{
	static const struct shmipc_stream_callbacks closing = { .on_readable = close_session_and_streams };
	struct record record = { .most = 0 };
	struct ends ends;
	int r;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	record.session = pair->server;
	assert_code(shmipc_stream_set_callbacks(ends.far, &closing, &record), 0);
	pattern_write(ends.near, 10, 1);
	r = shmipc_session_process(pair->server);
	assert_true(r == 1 || r == -ESHUTDOWN);
	pair->server = NULL;
	assert_null(record.session);
	assert_code(shmipc_stream_read(ends.near, &(char){ 0 }, 1, FAR) <= 0, 1);
	shmipc_stream_close(ends.near);
}

static void echo(struct shmipc_stream *stream, void *arg)
{
	char data[5000];
	ssize_t n;

	(void)arg;
	while ((n = shmipc_stream_read(stream, data, sizeof(data), 0)) > 0)
		if (shmipc_stream_write(stream, data, (size_t)n, 0, FAR) != n)
			break;
}

static void callbacks_may_write_and_block(struct pair *pair)
{
	static const struct shmipc_stream_callbacks echoing = { .on_readable = echo };
	struct ends ends;
	uint32_t i;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	assert_code(shmipc_stream_set_callbacks(ends.far, &echoing, NULL), 0);
	for (i = 0; i < 50; i++) {
		pattern_write(ends.near, i * 100 + 1, i);
		record_process(pair->server);
		pattern_read(ends.near, i * 100 + 1, i);
	}
	ends_close(pair, &ends);
}

/* Thousands of streams, each with a little data: every one is reported, and every byte. */
static void no_callback_is_lost_among_many_streams(struct pair *pair)
{
	enum { MANY = 3000 };
	static struct shmipc_stream *near[MANY];
	static struct record record;
	int i;

	record_open(pair, &record);
	record.close = true;
	for (i = 0; i < MANY; i++) {
		near[i] = record_stream(pair);
		pattern_write(near[i], 10, 1);
		if (i % 100 == 99)
			record_process(pair->server);
	}
	record_process(pair->server);
	assert_int_equal(record_count(&record, 's'), MANY);
	assert_int_equal(record.bytes, MANY * 10);
	for (i = 0; i < MANY; i++)
		shmipc_stream_close(near[i]);
	session_pair_await_empty(pair);
}

struct processor {
	struct worker worker;
	struct shmipc_session *session;
	_Atomic bool *stop;
};

static int process_on(struct worker *worker)
{
	struct processor *p = (struct processor *)worker;
	int r = 0;

	while (!*p->stop && r >= 0) {
		r = shmipc_session_process(p->session);
		if (r == 0)
			sleep_ms(1);
	}
	return r < 0 ? r : 0;
}

static void several_threads_may_process_and_no_stream_has_two_callbacks_at_a_time(struct pair *pair)
{
	_Atomic bool stop = false;
	struct processor threads[4];
	static struct record records[6];
	struct ends ends[6];
	uint32_t i, round;

	session_pair_open(pair, NULL, NULL);
	memset(records, 0, sizeof(records));
	for (i = 0; i < 6; i++) {
		ends[i] = ends_open(pair);
		records[i].most = 100;
		records[i].slow = true;
		assert_code(shmipc_stream_set_callbacks(ends[i].far, &record_callbacks, &records[i]), 0);
	}
	for (i = 0; i < 4; i++) {
		threads[i] = (struct processor){ .worker.call = process_on, .session = pair->server, .stop = &stop };
		worker_start(&threads[i].worker);
	}
	for (round = 0; round < 40; round++)
		for (i = 0; i < 6; i++)
			pattern_write(ends[i].near, 50, round);
	for (i = 0; i < 6; i++)
		assert_code(shmipc_stream_end(ends[i].near), 0);
	for (i = 0; i < 6; i++)
		await(atomic_load(&records[i].running) == 0 && stream_stats_of(ends[i].far).bytes_read == 40 * 50 + 1);
	for (i = 0; i < 6; i++)
		assert_code(shmipc_stream_end(ends[i].far), 0);
	for (i = 0; i < 6; i++)
		await(atomic_load(&records[i].count) && record_count(&records[i], 'e') == 1);
	stop = true;
	for (i = 0; i < 4; i++)
		assert_code(worker_join(&threads[i].worker), 0);
	for (i = 0; i < 6; i++) {
		assert_int_equal(records[i].most_running, 1);
		assert_int_equal(records[i].calls[records[i].count - 1], 'e');
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	session_pair_await_empty(pair);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_stream_may_be_closed_in_its_own_callback),
		ON_BOTH(a_session_may_be_closed_in_a_streams_callback),
		ON_BOTH(callbacks_may_write_and_block),
		ON_BOTH(no_callback_is_lost_among_many_streams),
		ON_BOTH(several_threads_may_process_and_no_stream_has_two_callbacks_at_a_time),
	};

	return RUN_TESTS(tests, argc, argv);
}
