// SPDX-License-Identifier: Apache-2.0
/*
 * stream_callbacks.c - tests of callbacks: which come, in what order, that none is lost, and what may be done in them
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "session_pair.h"

/* What was called, a letter each: r, w, e; s: a stream, E: the session's end. */
struct record {
	_Atomic char calls[10000];
	_Atomic size_t count;
	_Atomic int running, most_running;
	int reason, session_reason;
	size_t bytes;
	size_t most; /* a callback reads at most so much; 0: nothing */
	bool close;  /* on_readable closes its stream */
	bool slow;
	struct shmipc_stream *stream;
	struct shmipc_session *session;
};

static void note(struct record *record, char call)
{
	size_t at = atomic_fetch_add(&record->count, 1);

	if (at < sizeof(record->calls) - 1)
		record->calls[at] = call;
}

static size_t count_of(const struct record *record, char call)
{
	size_t i, n = 0;

	for (i = 0; i < record->count && i < sizeof(record->calls); i++)
		n += record->calls[i] == call;
	return n;
}

static void enter(struct record *record)
{
	int now = atomic_fetch_add(&record->running, 1) + 1;

	if (now > record->most_running)
		record->most_running = now;
	if (record->slow)
		sleep_ms(1);
}

static void leave(struct record *record)
{
	atomic_fetch_sub(&record->running, 1);
}

static void on_readable(struct shmipc_stream *stream, void *arg)
{
	struct record *record = arg;
	static _Thread_local char data[8192];
	size_t most = record->most;
	ssize_t n;

	enter(record);
	note(record, 'r');
	while (most) {
		n = shmipc_stream_read(stream, data, most < sizeof(data) ? most : sizeof(data), 0);
		if (n <= 0)
			break;
		record->bytes += (size_t)n;
		most -= (size_t)n;
	}
	leave(record);
	if (record->close) {
		record->stream = NULL;
		shmipc_stream_close(stream);
	}
}

static void on_writable(struct shmipc_stream *stream, void *arg)
{
	(void)stream;
	note(arg, 'w');
}

static void on_end(struct shmipc_stream *stream, int reason, void *arg)
{
	struct record *record = arg;

	(void)stream;
	enter(record);
	record->reason = reason;
	note(record, 'e');
	leave(record);
}

static const struct shmipc_stream_callbacks callbacks = { on_readable, on_writable, on_end };

static void on_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	struct record *record = arg;

	assert_ptr_equal(shmipc_stream_session(stream), session);
	note(record, 's');
	record->stream = stream;
	assert_code(shmipc_stream_set_callbacks(stream, &callbacks, record), 0);
}

static void on_session_end(struct shmipc_session *session, int reason, void *arg)
{
	struct record *record = arg;

	(void)session;
	record->session_reason = reason;
	note(record, 'E');
}

static const struct shmipc_session_callbacks session_callbacks = { on_stream, on_session_end, NULL };

/* Process until nothing is to be done any more. */
static void process(struct shmipc_session *session)
{
	int r;

	do
		r = shmipc_session_process(session);
	while (r > 0);
	if (r && r != shmipc_session_error(session))
		fail_msg("process says %d", r);
}

static void open_with_callbacks(struct pair *pair, struct record *record)
{
	memset(record, 0, sizeof(*record));
	record->most = SIZE_MAX;
	session_pair_open(pair, NULL, NULL);
	assert_code(shmipc_session_set_callbacks(pair->server, &session_callbacks, record), 0);
}

static struct shmipc_stream *open_stream(struct pair *pair)
{
	struct shmipc_stream *near;

	assert_code(shmipc_stream_open(pair->client, &near), 0);
	return near;
}

static void expect_calls(struct record *record, const char *calls)
{
	record->calls[record->count] = '\0';
	assert_string_equal(record->calls, calls);
}

static void on_stream_comes_before_its_data_and_on_end_last(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;

	open_with_callbacks(pair, &record);
	near = open_stream(pair);
	pattern_write(near, 50000, 1);
	process(pair->server);
	assert_int_equal(record.calls[0], 's');
	assert_int_equal(record.bytes, 50000);
	pattern_write(near, 100, 1);
	assert_code(shmipc_stream_end(near), 0);
	process(pair->server);
	assert_int_equal(record.bytes, 50100);
	assert_int_equal(count_of(&record, 'e'), 0);
	assert_code(shmipc_stream_end(record.stream), 0);
	process(pair->server);
	assert_int_equal(record.calls[record.count - 1], 'e');
	assert_int_equal(count_of(&record, 'e'), 1);
	assert_int_equal(count_of(&record, 's'), 1);
	assert_int_equal(record.reason, 0);
	ends_close(pair, &(struct ends){ near, record.stream });
}

static void data_and_close_in_one_batch_are_both_reported(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;
	int i;

	open_with_callbacks(pair, &record);
	for (i = 0; i < 20; i++) {
		record.count = record.bytes = 0;
		near = open_stream(pair);
		pattern_write(near, 700, 1);
		pattern_write(near, 70000, 1);
		shmipc_stream_close(near);
		process(pair->server);
		assert_int_equal(record.bytes, 70700);
		assert_true(count_of(&record, 'r') >= 1);
		assert_code(shmipc_stream_end(record.stream), 0);
		process(pair->server);
		assert_int_equal(count_of(&record, 'e'), 1);
		shmipc_stream_close(record.stream);
		session_pair_await_empty(pair);
	}
}

static void on_readable_comes_again_while_it_reads_some_and_leaves_some(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;

	open_with_callbacks(pair, &record);
	record.most = 10;
	near = open_stream(pair);
	pattern_write(near, 95, 1);
	process(pair->server);
	assert_int_equal(record.bytes, 95);
	assert_true(count_of(&record, 'r') >= 10);
	ends_close(pair, &(struct ends){ near, record.stream });
}

static void on_readable_does_not_come_again_when_it_read_nothing(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;

	open_with_callbacks(pair, &record);
	record.most = 0;
	near = open_stream(pair);
	pattern_write(near, 95, 1);
	process(pair->server);
	expect_calls(&record, "sr");
	process(pair->server);
	expect_calls(&record, "sr");
	/* More bytes: once more. */
	pattern_write(near, 5, 1);
	process(pair->server);
	expect_calls(&record, "srr");
	assert_code(shmipc_stream_discard(record.stream, 100, FAR), 100);
	ends_close(pair, &(struct ends){ near, record.stream });
}

static void the_end_of_the_other_direction_is_readable(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;

	open_with_callbacks(pair, &record);
	near = open_stream(pair);
	pattern_write(near, 5, 1);
	process(pair->server);
	record.count = 0;
	assert_code(shmipc_stream_end(near), 0);
	process(pair->server);
	expect_calls(&record, "r");
	ends_close(pair, &(struct ends){ near, record.stream });
}

static void on_writable_comes_after_a_write_that_said_eagain(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct record record;
	struct ends ends;
	size_t total;

	memset(&record, 0, sizeof(record));
	options.window = 8192;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	assert_code(shmipc_stream_set_callbacks(ends.near, &callbacks, &record), 0);
	process(pair->client);
	assert_int_equal(count_of(&record, 'w'), 0);
	total = fill_up(ends.near, 500);
	process(pair->client);
	assert_int_equal(count_of(&record, 'w'), 0);
	assert_code(shmipc_stream_discard(ends.far, total, FAR), (long long)total);
	session_look(pair->server);
	process(pair->client);
	assert_int_equal(count_of(&record, 'w'), 1);
	assert_code(shmipc_stream_write(ends.near, &total, 4, 0, 0), 4);
	process(pair->client);
	assert_int_equal(count_of(&record, 'w'), 1);
	ends_close(pair, &ends);
}

static void a_reset_is_reported_as_the_end(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;

	open_with_callbacks(pair, &record);
	near = open_stream(pair);
	pattern_write(near, 5, 1);
	process(pair->server);
	assert_code(shmipc_stream_reset(near, 99), 0);
	process(pair->server);
	assert_int_equal(record.calls[record.count - 1], 'e');
	assert_int_equal(record.reason, -ECONNRESET);
	assert_int_equal(shmipc_stream_reset_code(record.stream), 99);
	ends_close(pair, &(struct ends){ near, record.stream });
}

static void the_sessions_end_comes_after_those_of_all_its_streams(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near[3], *far[3];
	int i;

	open_with_callbacks(pair, &record);
	for (i = 0; i < 3; i++) {
		near[i] = open_stream(pair);
		pattern_write(near[i], 1000, 1);
		process(pair->server);
		far[i] = record.stream;
	}
	/* What was sent before is seen before. */
	pattern_write(near[2], 30000, 1);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	process(pair->server);
	assert_int_equal(record.bytes, 33000);
	assert_int_equal(count_of(&record, 'e'), 3);
	assert_int_equal(count_of(&record, 'E'), 1);
	assert_int_equal(record.calls[record.count - 1], 'E');
	assert_int_equal(record.reason, -EPIPE);
	assert_int_equal(record.session_reason, -EPIPE);
	assert_code(shmipc_session_process(pair->server), -EPIPE);
	assert_int_equal(count_of(&record, 'E'), 1);
	for (i = 0; i < 3; i++) {
		shmipc_stream_close(near[i]);
		shmipc_stream_close(far[i]);
	}
}

static void ones_own_shutdown_is_reported_too(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;

	open_with_callbacks(pair, &record);
	near = open_stream(pair);
	pattern_write(near, 1000, 1);
	process(pair->server);
	assert_code(shmipc_session_shutdown(pair->server), 0);
	process(pair->server);
	assert_int_equal(record.reason, -ESHUTDOWN);
	assert_int_equal(record.session_reason, -ESHUTDOWN);
	assert_int_equal(record.calls[record.count - 1], 'E');
	shmipc_stream_close(near);
	shmipc_stream_close(record.stream);
}

static void callbacks_that_are_set_late_are_told_what_is_there(struct pair *pair)
{
	struct record record;
	struct ends ends;

	memset(&record, 0, sizeof(record));
	record.most = SIZE_MAX;
	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	pattern_write(ends.near, 5000, 1);
	process(pair->server);
	assert_code(shmipc_stream_set_callbacks(ends.far, &callbacks, &record), 0);
	process(pair->server);
	assert_int_equal(record.bytes, 5000);
	assert_code(shmipc_stream_set_callbacks(ends.far, NULL, NULL), 0);
	pattern_write(ends.near, 10, 1);
	assert_code(shmipc_stream_reset(ends.near, 1), 0);
	process(pair->server);
	assert_int_equal(count_of(&record, 'e'), 0);
	assert_code(shmipc_stream_set_callbacks(ends.far, &callbacks, &record), 0);
	process(pair->server);
	assert_int_equal(count_of(&record, 'e'), 1);
	ends_close(pair, &ends);
}

static void session_callbacks_that_are_set_late_are_told_of_streams_and_of_the_end(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near[2], *far[2];
	int i;

	memset(&record, 0, sizeof(record));
	record.most = SIZE_MAX;
	session_pair_open(pair, NULL, NULL);
	for (i = 0; i < 2; i++) {
		near[i] = open_stream(pair);
		pattern_write(near[i], 100, 1);
	}
	assert_code(shmipc_session_process(pair->server), 0);
	assert_code(shmipc_session_set_callbacks(pair->server, &session_callbacks, &record), 0);
	/* One stream by hand: the other one is reported. */
	assert_code(shmipc_session_accept(pair->server, &far[0], FAR), 0);
	process(pair->server);
	assert_int_equal(count_of(&record, 's'), 1);
	assert_int_equal(record.bytes, 100);
	far[1] = record.stream;
	assert_code(shmipc_session_set_callbacks(pair->server, NULL, NULL), 0);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	process(pair->server);
	assert_int_equal(count_of(&record, 'E'), 0);
	assert_code(shmipc_session_set_callbacks(pair->server, &session_callbacks, &record), 0);
	process(pair->server);
	assert_int_equal(count_of(&record, 'E'), 1);
	for (i = 0; i < 2; i++) {
		shmipc_stream_close(near[i]);
		shmipc_stream_close(far[i]);
	}
}

static void setting_callbacks_twice_is_ealready(struct pair *pair)
{
	struct record record = { .most = SIZE_MAX };
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	assert_code(shmipc_stream_set_callbacks(ends.far, &callbacks, &record), 0);
	assert_code(shmipc_stream_set_callbacks(ends.far, &callbacks, &record), -EALREADY);
	assert_code(shmipc_stream_set_callbacks(ends.far, NULL, NULL), 0);
	assert_code(shmipc_stream_set_callbacks(ends.far, NULL, NULL), 0);
	assert_code(shmipc_stream_set_callbacks(ends.far, &callbacks, &record), 0);
	ends_close(pair, &ends);
}

static void a_stream_may_be_closed_in_its_own_callback(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;
	int i;

	open_with_callbacks(pair, &record);
	record.close = true;
	for (i = 0; i < 10; i++) {
		near = open_stream(pair);
		pattern_write(near, i % 2 ? 40000 : 40, 1);
		if (i % 3 == 0)
			assert_code(shmipc_stream_end(near), 0);
		process(pair->server);
		assert_null(record.stream);
		/* The peer is told. */
		assert_code(shmipc_stream_read(near, &(char){ 0 }, 1, FAR), 0);
		shmipc_stream_close(near);
	}
	assert_int_equal(count_of(&record, 'e'), 0);
	session_pair_await_empty(pair);
}

static void close_session_and_streams(struct shmipc_stream *stream, void *arg)
{
	struct record *record = arg;
	struct shmipc_session *session = record->session;

	note(record, 'r');
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
		process(pair->server);
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

	open_with_callbacks(pair, &record);
	record.close = true;
	for (i = 0; i < MANY; i++) {
		near[i] = open_stream(pair);
		pattern_write(near[i], 10, 1);
		if (i % 100 == 99)
			process(pair->server);
	}
	process(pair->server);
	assert_int_equal(count_of(&record, 's'), MANY);
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
		assert_code(shmipc_stream_set_callbacks(ends[i].far, &callbacks, &records[i]), 0);
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
		await(atomic_load(&records[i].count) && count_of(&records[i], 'e') == 1);
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
		ON_BOTH(on_stream_comes_before_its_data_and_on_end_last),
		ON_BOTH(data_and_close_in_one_batch_are_both_reported),
		ON_BOTH(on_readable_comes_again_while_it_reads_some_and_leaves_some),
		ON_BOTH(on_readable_does_not_come_again_when_it_read_nothing),
		ON_BOTH(the_end_of_the_other_direction_is_readable),
		ON_BOTH(on_writable_comes_after_a_write_that_said_eagain),
		ON_BOTH(a_reset_is_reported_as_the_end),
		ON_BOTH(the_sessions_end_comes_after_those_of_all_its_streams),
		ON_BOTH(ones_own_shutdown_is_reported_too),
		ON_BOTH(callbacks_that_are_set_late_are_told_what_is_there),
		ON_BOTH(session_callbacks_that_are_set_late_are_told_of_streams_and_of_the_end),
		ON_BOTH(setting_callbacks_twice_is_ealready),
		ON_BOTH(a_stream_may_be_closed_in_its_own_callback),
		ON_BOTH(a_session_may_be_closed_in_a_streams_callback),
		ON_BOTH(callbacks_may_write_and_block),
		ON_BOTH(no_callback_is_lost_among_many_streams),
		ON_BOTH(several_threads_may_process_and_no_stream_has_two_callbacks_at_a_time),
	};

	return RUN_TESTS(tests, argc, argv);
}
