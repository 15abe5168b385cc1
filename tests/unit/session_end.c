// SPDX-License-Identifier: Apache-2.0
/*
 * session_end.c - tests of a session's end: shutdown, close with handles held, the peer's end and death, and who is told
 */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "session_pair.h"

/* Every call on a stream whose session has ended for this reason, and with nothing left to read. */
static void expect_dead(struct shmipc_stream *stream, int reason)
{
	struct shmipc_buffer buffer;
	struct shmipc_piece piece;
	const void *data;
	char byte;

	assert_code(shmipc_stream_read(stream, &byte, 1, FAR), reason);
	assert_code(shmipc_stream_read(stream, &byte, 1, 0), reason);
	assert_code(shmipc_stream_read_message(stream, &byte, 1, NULL, FAR), reason);
	assert_code(shmipc_stream_receive(stream, &piece, FAR), reason);
	assert_code(shmipc_stream_peek(stream, 1, &data, FAR), reason);
	assert_code(shmipc_stream_discard(stream, 1, FAR), reason);
	assert_code(shmipc_stream_write(stream, "x", 1, 0, FAR), reason);
	assert_code(shmipc_stream_reserve(stream, 1000, &buffer, FAR), reason);
	assert_code(shmipc_stream_call(stream, "x", 1, &byte, 1, FAR), reason);
}

static void expect_session_dead(struct shmipc_session *session, int reason)
{
	struct shmipc_stream *stream = NULL;

	assert_code(shmipc_session_error(session), reason);
	assert_int_equal(shmipc_session_is_healthy(session), 0);
	assert_code(shmipc_session_accept(session, &stream, FAR), reason);
	assert_code(shmipc_session_accept(session, &stream, 0), reason);
	assert_code(shmipc_stream_open(session, &stream), reason);
	assert_null(stream);
}

static void close_ends(struct ends *ends)
{
	shmipc_stream_close(ends->near);
	shmipc_stream_close(ends->far);
}

static void shutdown_is_eshutdown_here_and_epipe_there(struct pair *pair)
{
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	expect_dead(ends.near, -ESHUTDOWN);
	expect_session_dead(pair->client, -ESHUTDOWN);
	expect_dead(ends.far, -EPIPE);
	expect_session_dead(pair->server, -EPIPE);
	close_ends(&ends);
}

static void shutdown_may_be_repeated_and_the_first_cause_stays(struct pair *pair)
{
	session_pair_open(pair, NULL, NULL);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	await((session_look(pair->server), shmipc_session_error(pair->server) == -EPIPE));
	assert_code(shmipc_session_shutdown(pair->server), 0);
	assert_code(shmipc_session_error(pair->server), -EPIPE);
	assert_code(shmipc_session_error(pair->client), -ESHUTDOWN);
}

static void what_was_sent_before_a_shutdown_is_read_after_it(struct pair *pair)
{
	struct ends ends, other;
	struct shmipc_stream *late;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	other = ends_open(pair);
	pattern_write(ends.near, 50000, 1);
	pattern_write(other.near, 10, 2);
	assert_code(shmipc_stream_open(pair->client, &late), 0);
	pattern_write(late, 3000, 3);
	pattern_write(ends.near, 70000, 4);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	pattern_read(ends.far, 50000, 1);
	pattern_read(ends.far, 70000, 4);
	pattern_read(other.far, 10, 2);
	expect_dead(ends.far, -EPIPE);
	expect_dead(other.far, -EPIPE);
	shmipc_stream_close(late);
	close_ends(&ends);
	close_ends(&other);
}

static void an_ended_stream_still_ends_with_0_when_its_session_ends_later(struct pair *pair)
{
	struct ends ends;
	char in[10];

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	pattern_write(ends.near, 10, 1);
	assert_code(shmipc_stream_end(ends.near), 0);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	pattern_read(ends.far, 10, 1);
	assert_code(shmipc_stream_read(ends.far, in, 1, FAR), 0);
	assert_code(shmipc_stream_write(ends.far, "x", 1, 0, FAR), -EPIPE);
	close_ends(&ends);
}

static void bytes_that_came_before_ones_own_shutdown_can_be_read_after_it(struct pair *pair)
{
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	pattern_write(ends.near, 20000, 1);
	assert_code(shmipc_stream_wait(ends.far, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	session_look(pair->server);
	assert_code(shmipc_session_shutdown(pair->server), 0);
	pattern_read(ends.far, 20000, 1);
	expect_dead(ends.far, -ESHUTDOWN);
	close_ends(&ends);
}

/* A thread in accept, one in read, one in write, at once, on either side of the end. */
static void the_end_wakes_everybody(struct pair *pair, bool ones_own)
{
	struct shmipc_session_options options = session_options(pair);
	static char out[100000];
	struct call accepting, reading, writing, receiving;
	struct ends ends, other;
	int reason = ones_own ? -ESHUTDOWN : -EPIPE;
	char in[10];

	options.window = 8192;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	other = ends_open(pair);
	fill_up(ends.far, 1000);
	call_accept(&accepting, pair->server, SHMIPC_FOREVER);
	call_read(&reading, ends.far, in, sizeof(in), SHMIPC_FOREVER);
	call_receive(&receiving, other.far, SHMIPC_FOREVER);
	call_write(&writing, ends.far, out, sizeof(out), SHMIPC_FOREVER);
	worker_await_sleep(&accepting.worker);
	worker_await_sleep(&reading.worker);
	worker_await_sleep(&receiving.worker);
	worker_await_sleep(&writing.worker);
	assert_code(shmipc_session_shutdown(ones_own ? pair->server : pair->client), 0);
	assert_code(worker_join(&accepting.worker), reason);
	assert_code(worker_join(&reading.worker), reason);
	assert_code(worker_join(&receiving.worker), reason);
	worker_join(&writing.worker);
	assert_true(writing.worker.result == reason || writing.worker.result > 0);
	close_ends(&ends);
	close_ends(&other);
}

static void ones_own_shutdown_wakes_everybody(struct pair *pair)
{
	the_end_wakes_everybody(pair, true);
}

static void the_peers_shutdown_wakes_everybody(struct pair *pair)
{
	the_end_wakes_everybody(pair, false);
}

static void handles_that_are_held_outlive_the_session(struct pair *pair)
{
	struct shmipc_piece piece;
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	pattern_write(ends.near, 20000, 1);
	assert_code(shmipc_stream_receive(ends.far, &piece, FAR), 1);
	pattern_write(ends.near, 30000, 2);
	session_look(pair->server);
	shmipc_session_close(pair->server);
	pair->server = NULL;
	assert_true(pattern_is(piece.data, 20000, 1));
	assert_code(shmipc_stream_release(ends.far, &piece), 0);
	pattern_read(ends.far, 30000, 2);
	expect_dead(ends.far, -ESHUTDOWN);
	assert_true(shmipc_stream_session(ends.far) != NULL);
	assert_true(count_lane_mappings() > 0);
	shmipc_stream_close(ends.far);
	shmipc_stream_close(ends.near);
}

static void closing_a_session_wakes_threads_on_its_streams(struct pair *pair)
{
	struct ends ends;
	struct call call;
	char in[10];

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	call_read(&call, ends.far, in, sizeof(in), SHMIPC_FOREVER);
	worker_await_sleep(&call.worker);
	shmipc_session_close(pair->server);
	pair->server = NULL;
	assert_code(worker_join(&call.worker), -ESHUTDOWN);
	close_ends(&ends);
}

static void streams_that_nobody_accepted_are_closed_with_the_session(struct pair *pair)
{
	struct shmipc_stream *near[3];
	char byte;
	int i;

	session_pair_open(pair, NULL, NULL);
	for (i = 0; i < 3; i++) {
		assert_code(shmipc_stream_open(pair->client, &near[i]), 0);
		pattern_write(near[i], 20000, 1);
	}
	assert_code(shmipc_session_process(pair->server) >= 0, 1);
	shmipc_session_close(pair->server);
	pair->server = NULL;
	for (i = 0; i < 3; i++) {
		int r = (int)shmipc_stream_read(near[i], &byte, 1, FAR);

		assert_true(r == 0 || r == -EPIPE);
		shmipc_stream_close(near[i]);
	}
}

static void a_close_at_once_after_writing_loses_nothing(struct pair *pair)
{
	struct ends ends;
	uint32_t i, j;

	for (i = 0; i < 10; i++) {
		session_pair_open(pair, NULL, NULL);
		ends = ends_open(pair);
		for (j = 0; j < 20; j++)
			pattern_write(ends.near, j * 333 + 1, j);
		shmipc_stream_close(ends.near);
		shmipc_session_close(pair->client);
		pair->client = NULL;
		for (j = 0; j < 20; j++)
			pattern_read(ends.far, j * 333 + 1, j);
		assert_code(shmipc_stream_read(ends.far, &j, 1, FAR), 0);
		shmipc_stream_close(ends.far);
		session_pair_close(pair);
	}
}

static void bytes_in_the_socket_are_not_lost_by_a_close_either(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct ends ends;
	uint32_t i;

	options.channel.segment_bytes = 32768;
	options.channel.memory_max = 32768;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	for (i = 0; i < 8; i++)
		pattern_write(ends.near, 16000, i);
	assert_true(session_stats_of(pair->client).fallback_sent > 0);
	shmipc_stream_close(ends.near);
	shmipc_session_close(pair->client);
	pair->client = NULL;
	for (i = 0; i < 8; i++)
		pattern_read(ends.far, 16000, i);
	assert_code(shmipc_stream_read(ends.far, &i, 1, FAR), 0);
	shmipc_stream_close(ends.far);
}

static void counts_are_zero_after_both_sides_closed_their_streams(struct pair *pair)
{
	struct ends ends[10];
	uint32_t i;

	session_pair_open(pair, NULL, NULL);
	for (i = 0; i < 10; i++)
		ends[i] = i % 2 ? ends_open(pair) : ends_open_by(pair->server, pair->client);
	for (i = 0; i < 10; i++) {
		pattern_write(ends[i].near, 30000, i);
		pattern_write(ends[i].far, 3000, i);
	}
	assert_int_equal(session_streams(pair->client), 10);
	assert_int_equal(session_streams(pair->server), 10);
	for (i = 0; i < 10; i++) {
		/* Read, half read, and not read. */
		if (i % 3 == 0)
			pattern_read(ends[i].far, 30000, i);
		if (i % 3 == 1)
			assert_code(shmipc_stream_discard(ends[i].far, 1000, FAR), 1000);
		if (i % 4 == 0)
			assert_code(shmipc_stream_reset(ends[i].near, i), 0);
		close_ends(&ends[i]);
	}
	session_pair_await_empty(pair);
}

static void many_sessions_one_after_the_other_leave_nothing(struct pair *pair)
{
	struct ends ends;
	int i;

	for (i = 0; i < 50; i++) {
		session_pair_open(pair, NULL, NULL);
		ends = ends_open(pair);
		pattern_write(ends.near, 20000, 1);
		if (i % 2)
			shmipc_stream_close(ends.far);
		session_pair_close(pair);
		if (!(i % 2))
			shmipc_stream_close(ends.far);
		shmipc_stream_close(ends.near);
		assert_int_equal(count_lane_mappings(), 0);
	}
}

static void two_sessions_in_one_process_are_independent(struct pair *pair)
{
	struct pair other = { .backend = pair->backend };
	struct ends a, b;

	session_pair_open(pair, NULL, NULL);
	session_pair_open(&other, NULL, NULL);
	a = ends_open(pair);
	b = ends_open(&other);
	pattern_write(a.near, 1000, 1);
	pattern_write(b.near, 1000, 2);
	assert_code(shmipc_session_shutdown(other.client), 0);
	pattern_read(a.far, 1000, 1);
	pattern_read(b.far, 1000, 2);
	expect_dead(b.far, -EPIPE);
	close_ends(&b);
	session_pair_close(&other);
	pattern_write(a.near, 1000, 3);
	pattern_read(a.far, 1000, 3);
	ends_close(pair, &a);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(shutdown_is_eshutdown_here_and_epipe_there),
		ON_BOTH(shutdown_may_be_repeated_and_the_first_cause_stays),
		ON_BOTH(what_was_sent_before_a_shutdown_is_read_after_it),
		ON_BOTH(an_ended_stream_still_ends_with_0_when_its_session_ends_later),
		ON_BOTH(bytes_that_came_before_ones_own_shutdown_can_be_read_after_it),
		ON_BOTH(ones_own_shutdown_wakes_everybody),
		ON_BOTH(the_peers_shutdown_wakes_everybody),
		ON_BOTH(handles_that_are_held_outlive_the_session),
		ON_BOTH(closing_a_session_wakes_threads_on_its_streams),
		ON_BOTH(streams_that_nobody_accepted_are_closed_with_the_session),
		ON_BOTH(a_close_at_once_after_writing_loses_nothing),
		ON_BOTH(bytes_in_the_socket_are_not_lost_by_a_close_either),
		ON_BOTH(counts_are_zero_after_both_sides_closed_their_streams),
		ON_BOTH(many_sessions_one_after_the_other_leave_nothing),
		ON_BOTH(two_sessions_in_one_process_are_independent),
	};

	return RUN_TESTS(tests, argc, argv);
}
