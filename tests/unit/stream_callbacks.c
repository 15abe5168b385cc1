// SPDX-License-Identifier: Apache-2.0
/*
 * stream_callbacks.c - tests of callbacks: which come, in what order, and what those hear that are set late
 *
 * What may be done in them is stream_in_callbacks.c's.
 */
#include <string.h>

#include "callback_record.h"

static void on_stream_comes_before_its_data_and_on_end_last(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;

	record_open(pair, &record);
	near = record_stream(pair);
	pattern_write(near, 50000, 1);
	record_process(pair->server);
	assert_int_equal(record.calls[0], 's');
	assert_int_equal(record.bytes, 50000);
	pattern_write(near, 100, 1);
	assert_code(shmipc_stream_end(near), 0);
	record_process(pair->server);
	assert_int_equal(record.bytes, 50100);
	assert_int_equal(record_count(&record, 'e'), 0);
	assert_code(shmipc_stream_end(record.stream), 0);
	record_process(pair->server);
	assert_int_equal(record.calls[record.count - 1], 'e');
	assert_int_equal(record_count(&record, 'e'), 1);
	assert_int_equal(record_count(&record, 's'), 1);
	assert_int_equal(record.reason, 0);
	ends_close(pair, &(struct ends){ near, record.stream });
}

static void data_and_close_in_one_batch_are_both_reported(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;
	int i;

	record_open(pair, &record);
	for (i = 0; i < 20; i++) {
		record.count = record.bytes = 0;
		near = record_stream(pair);
		pattern_write(near, 700, 1);
		pattern_write(near, 70000, 1);
		shmipc_stream_close(near);
		record_process(pair->server);
		assert_int_equal(record.bytes, 70700);
		assert_true(record_count(&record, 'r') >= 1);
		assert_code(shmipc_stream_end(record.stream), 0);
		record_process(pair->server);
		assert_int_equal(record_count(&record, 'e'), 1);
		shmipc_stream_close(record.stream);
		session_pair_await_empty(pair);
	}
}

static void on_readable_comes_again_while_it_reads_some_and_leaves_some(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;

	record_open(pair, &record);
	record.most = 10;
	near = record_stream(pair);
	pattern_write(near, 95, 1);
	record_process(pair->server);
	assert_int_equal(record.bytes, 95);
	assert_true(record_count(&record, 'r') >= 10);
	ends_close(pair, &(struct ends){ near, record.stream });
}

static void on_readable_does_not_come_again_when_it_read_nothing(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;

	record_open(pair, &record);
	record.most = 0;
	near = record_stream(pair);
	pattern_write(near, 95, 1);
	record_process(pair->server);
	record_expect(&record, "sr");
	record_process(pair->server);
	record_expect(&record, "sr");
	/* More bytes: once more. */
	pattern_write(near, 5, 1);
	record_process(pair->server);
	record_expect(&record, "srr");
	assert_code(shmipc_stream_discard(record.stream, 100, FAR), 100);
	ends_close(pair, &(struct ends){ near, record.stream });
}

static void the_end_of_the_other_direction_is_readable(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;

	record_open(pair, &record);
	near = record_stream(pair);
	pattern_write(near, 5, 1);
	record_process(pair->server);
	record.count = 0;
	assert_code(shmipc_stream_end(near), 0);
	record_process(pair->server);
	record_expect(&record, "r");
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
	assert_code(shmipc_stream_set_callbacks(ends.near, &record_callbacks, &record), 0);
	record_process(pair->client);
	assert_int_equal(record_count(&record, 'w'), 0);
	total = fill_up(ends.near, 500);
	record_process(pair->client);
	assert_int_equal(record_count(&record, 'w'), 0);
	assert_code(shmipc_stream_discard(ends.far, total, FAR), (long long)total);
	session_look(pair->server);
	record_process(pair->client);
	assert_int_equal(record_count(&record, 'w'), 1);
	assert_code(shmipc_stream_write(ends.near, &total, 4, 0, 0), 4);
	record_process(pair->client);
	assert_int_equal(record_count(&record, 'w'), 1);
	ends_close(pair, &ends);
}

static void a_reset_is_reported_as_the_end(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;

	record_open(pair, &record);
	near = record_stream(pair);
	pattern_write(near, 5, 1);
	record_process(pair->server);
	assert_code(shmipc_stream_reset(near, 99), 0);
	record_process(pair->server);
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

	record_open(pair, &record);
	for (i = 0; i < 3; i++) {
		near[i] = record_stream(pair);
		pattern_write(near[i], 1000, 1);
		record_process(pair->server);
		far[i] = record.stream;
	}
	/* What was sent before is seen before. */
	pattern_write(near[2], 30000, 1);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	record_process(pair->server);
	assert_int_equal(record.bytes, 33000);
	assert_int_equal(record_count(&record, 'e'), 3);
	assert_int_equal(record_count(&record, 'E'), 1);
	assert_int_equal(record.calls[record.count - 1], 'E');
	assert_int_equal(record.reason, -EPIPE);
	assert_int_equal(record.session_reason, -EPIPE);
	assert_code(shmipc_session_process(pair->server), -EPIPE);
	assert_int_equal(record_count(&record, 'E'), 1);
	for (i = 0; i < 3; i++) {
		shmipc_stream_close(near[i]);
		shmipc_stream_close(far[i]);
	}
}

static void ones_own_shutdown_is_reported_too(struct pair *pair)
{
	struct record record;
	struct shmipc_stream *near;

	record_open(pair, &record);
	near = record_stream(pair);
	pattern_write(near, 1000, 1);
	record_process(pair->server);
	assert_code(shmipc_session_shutdown(pair->server), 0);
	record_process(pair->server);
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
	record_process(pair->server);
	assert_code(shmipc_stream_set_callbacks(ends.far, &record_callbacks, &record), 0);
	record_process(pair->server);
	assert_int_equal(record.bytes, 5000);
	assert_code(shmipc_stream_set_callbacks(ends.far, NULL, NULL), 0);
	pattern_write(ends.near, 10, 1);
	assert_code(shmipc_stream_reset(ends.near, 1), 0);
	record_process(pair->server);
	assert_int_equal(record_count(&record, 'e'), 0);
	assert_code(shmipc_stream_set_callbacks(ends.far, &record_callbacks, &record), 0);
	record_process(pair->server);
	assert_int_equal(record_count(&record, 'e'), 1);
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
		near[i] = record_stream(pair);
		pattern_write(near[i], 100, 1);
	}
	assert_code(shmipc_session_process(pair->server), 0);
	assert_code(shmipc_session_set_callbacks(pair->server, &record_session_callbacks, &record), 0);
	/* One stream by hand: the other one is reported. */
	assert_code(shmipc_session_accept(pair->server, &far[0], FAR), 0);
	record_process(pair->server);
	assert_int_equal(record_count(&record, 's'), 1);
	assert_int_equal(record.bytes, 100);
	far[1] = record.stream;
	assert_code(shmipc_session_set_callbacks(pair->server, NULL, NULL), 0);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	record_process(pair->server);
	assert_int_equal(record_count(&record, 'E'), 0);
	assert_code(shmipc_session_set_callbacks(pair->server, &record_session_callbacks, &record), 0);
	record_process(pair->server);
	assert_int_equal(record_count(&record, 'E'), 1);
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
	assert_code(shmipc_stream_set_callbacks(ends.far, &record_callbacks, &record), 0);
	assert_code(shmipc_stream_set_callbacks(ends.far, &record_callbacks, &record), -EALREADY);
	assert_code(shmipc_stream_set_callbacks(ends.far, NULL, NULL), 0);
	assert_code(shmipc_stream_set_callbacks(ends.far, NULL, NULL), 0);
	assert_code(shmipc_stream_set_callbacks(ends.far, &record_callbacks, &record), 0);
	ends_close(pair, &ends);
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
	};

	return RUN_TESTS(tests, argc, argv);
}
