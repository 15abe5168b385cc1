// SPDX-License-Identifier: Apache-2.0
/*
 * session_stats.c - tests of the counters of sessions and streams: each moves as its sentence says, and no other does
 */
#include <string.h>

#include "session_pair.h"

static void streams_are_counted_by_who_opened_them(struct pair *pair)
{
	struct shmipc_session_stats client, server;
	struct ends ends[3];
	struct shmipc_stream *silent;
	int i;

	session_pair_open(pair, NULL, NULL);
	ends[0] = ends_open(pair);
	ends[1] = ends_open(pair);
	ends[2] = ends_open_by(pair->server, pair->client);
	assert_code(shmipc_stream_open(pair->client, &silent), 0);
	client = session_stats_of(pair->client);
	server = session_stats_of(pair->server);
	assert_int_equal(client.streams, 4);
	assert_int_equal(server.streams, 3);
	assert_int_equal(client.streams_opened, 3);
	assert_int_equal(client.streams_accepted, 1);
	assert_int_equal(server.streams_opened, 1);
	assert_int_equal(server.streams_accepted, 2);
	assert_int_equal(client.streams_refused + server.streams_refused, 0);
	shmipc_stream_close(silent);
	for (i = 0; i < 3; i++) {
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	session_pair_await_empty(pair);
	assert_int_equal(session_stats_of(pair->client).streams_opened, 3);
	assert_int_equal(session_stats_of(pair->server).streams_accepted, 2);
}

static void a_half_open_stream_is_still_counted(struct pair *pair)
{
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	assert_code(shmipc_stream_end(ends.near), 0);
	session_look(pair->server);
	assert_int_equal(session_streams(pair->client), 1);
	assert_int_equal(session_streams(pair->server), 1);
	shmipc_stream_close(ends.near);
	session_look(pair->server);
	assert_int_equal(session_streams(pair->server), 1);
	shmipc_stream_close(ends.far);
	session_pair_await_empty(pair);
}

static void a_reset_is_counted_at_both_sides(struct pair *pair)
{
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	assert_code(shmipc_stream_reset(ends.near, 1), 0);
	session_look(pair->server);
	assert_int_equal(session_stats_of(pair->client).streams_reset, 1);
	assert_int_equal(session_stats_of(pair->server).streams_reset, 1);
	ends_close(pair, &ends);
}

static void bytes_are_counted_as_written_and_as_read(struct pair *pair)
{
	struct shmipc_piece piece;
	struct shmipc_buffer buffer;
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair); /* with a byte */
	pattern_write(ends.near, 100, 1);
	pattern_write(ends.near, 50000, 1);
	assert_code(shmipc_stream_reserve(ends.near, 7000, &buffer, FAR), 0);
	memset(buffer.data, 1, 7000);
	assert_code(shmipc_stream_submit(ends.near, &buffer, 6000, 0, FAR), 0);
	assert_int_equal(stream_stats_of(ends.near).bytes_written, 56101);
	assert_int_equal(session_stats_of(pair->client).bytes_written, 56101);
	assert_int_equal(stream_stats_of(ends.near).bytes_read, 0);
	pattern_read(ends.far, 100, 1);
	assert_int_equal(stream_stats_of(ends.far).bytes_read, 101);
	assert_code(shmipc_stream_discard(ends.far, 50000, FAR), 50000);
	assert_int_equal(stream_stats_of(ends.far).bytes_read, 50101);
	assert_code(shmipc_stream_receive(ends.far, &piece, FAR), 1);
	assert_int_equal(stream_stats_of(ends.far).bytes_read, 56101);
	assert_int_equal(stream_stats_of(ends.far).pinned, 1);
	assert_code(shmipc_stream_release(ends.far, &piece), 0);
	assert_int_equal(stream_stats_of(ends.far).pinned, 0);
	assert_int_equal(stream_stats_of(ends.far).bytes_read, 56101);
	assert_int_equal(session_stats_of(pair->server).bytes_read, 56101);
	assert_int_equal(session_stats_of(pair->server).bytes_written, 0);
	ends_close(pair, &ends);
	/* What streams did stays in their session's counters. */
	assert_int_equal(session_stats_of(pair->client).bytes_written, 56101);
	assert_int_equal(session_stats_of(pair->server).bytes_read, 56101);
}

static void messages_are_counted_at_both_sides(struct pair *pair)
{
	uint64_t sent, received;
	struct ends ends;
	int i;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	sent = stream_stats_of(ends.near).messages_sent;
	received = stream_stats_of(ends.far).messages_received;
	for (i = 0; i < 10; i++)
		pattern_write(ends.near, 100, 1);
	assert_int_equal(stream_stats_of(ends.near).messages_sent, sent + 10);
	for (i = 0; i < 10; i++)
		pattern_read(ends.far, 100, 1);
	assert_int_equal(stream_stats_of(ends.far).messages_received, received + 10);
	ends_close(pair, &ends);
}

static void what_is_under_way_and_what_is_unread_are_gauges(struct pair *pair)
{
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	await((session_look(pair->client), true));
	pattern_write(ends.near, 30000, 1);
	assert_true(stream_stats_of(ends.near).in_flight >= 30000);
	assert_true(stream_stats_of(ends.near).in_flight < 32000);
	session_look(pair->server);
	assert_int_equal(stream_stats_of(ends.far).unread_bytes, 30000);
	assert_int_equal(session_stats_of(pair->server).unread_bytes, 30000);
	assert_code(shmipc_stream_discard(ends.far, 10000, FAR), 10000);
	assert_int_equal(stream_stats_of(ends.far).unread_bytes, 20000);
	assert_int_equal(session_stats_of(pair->server).unread_bytes, 20000);
	assert_code(shmipc_stream_discard(ends.far, 20000, FAR), 20000);
	assert_int_equal(stream_stats_of(ends.far).unread_bytes, 0);
	ends_close(pair, &ends);
}

static void small_bytes_that_are_held_for_readers_are_private(struct pair *pair)
{
	struct shmipc_session_stats stats;
	struct ends ends;
	int i;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	for (i = 0; i < 50; i++)
		pattern_write(ends.near, 100, 1);
	session_look(pair->server);
	stats = session_stats_of(pair->server);
	assert_true(stats.private_bytes >= 5000 && stats.private_bytes <= 50 * 300);
	assert_code(shmipc_stream_discard(ends.far, 5000, FAR), 5000);
	assert_int_equal(session_stats_of(pair->server).private_bytes, 0);
	/* Those that lie in the peer's lane are not. */
	pattern_write(ends.near, 30000, 1);
	session_look(pair->server);
	assert_int_equal(session_stats_of(pair->server).private_bytes, 0);
	ends_close(pair, &ends);
}

static void a_writer_that_had_to_wait_is_counted(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct ends ends;

	options.window = 8192;
	session_pair_open(pair, NULL, &options);
	ends = ends_open(pair);
	assert_int_equal(session_stats_of(pair->client).writes_waited, 0);
	fill_up(ends.near, 1000);
	assert_true(session_stats_of(pair->client).writes_waited > 0);
	assert_int_equal(session_stats_of(pair->client).exhaustions, 0);
	ends_close(pair, &ends);
}

static void an_end_for_another_reason_than_a_close_is_an_error(struct pair *pair)
{
	session_pair_open(pair, NULL, NULL);
	assert_int_equal(session_stats_of(pair->client).errors, 0);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	await((session_look(pair->server), shmipc_session_error(pair->server)));
	/* A word of good-bye is a close, at both sides. */
	assert_int_equal(session_stats_of(pair->client).errors, 0);
	assert_int_equal(session_stats_of(pair->server).errors, 0);
}

static void the_channels_counters_are_in_the_sessions(struct pair *pair)
{
	struct shmipc_session_stats client, server;
	struct ends ends;
	int i;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	client = session_stats_of(pair->client);
	for (i = 0; i < 10; i++)
		pattern_write(ends.near, 100, 1);
	session_look(pair->server);
	server = session_stats_of(pair->server);
	assert_int_equal(server.channel.backend, pair->backend);
	assert_int_equal(session_stats_of(pair->client).channel.messages_sent, client.channel.messages_sent + 10);
	assert_int_equal(session_stats_of(pair->client).channel.bytes_sent, client.channel.bytes_sent + 1000);
	assert_true(server.channel.memory_bytes > 0);
	ends_close(pair, &ends);
}

static void a_smaller_structure_of_an_older_caller_is_filled_and_no_more(struct pair *pair)
{
	struct shmipc_session_stats stats;
	struct shmipc_stream_stats stream;
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	memset(&stats, 0xa5, sizeof(stats));
	stats.size = offsetof(struct shmipc_session_stats, streams_opened);
	assert_code(shmipc_session_stats(pair->client, &stats), 0);
	assert_int_equal(stats.streams, 1);
	assert_int_equal(stats.streams_opened, 0xa5a5a5a5a5a5a5a5);
	memset(&stream, 0xa5, sizeof(stream));
	stream.size = offsetof(struct shmipc_stream_stats, bytes_read);
	assert_code(shmipc_stream_stats(ends.near, &stream), 0);
	assert_int_equal(stream.bytes_written, 1);
	assert_int_equal(stream.bytes_read, 0xa5a5a5a5a5a5a5a5);
	stats.size = stream.size = 0;
	assert_code(shmipc_session_stats(pair->client, &stats), -EINVAL);
	assert_code(shmipc_stream_stats(ends.near, &stream), -EINVAL);
	ends_close(pair, &ends);
}

static void counters_can_be_read_after_the_end(struct pair *pair)
{
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	shmipc_session_close(pair->server);
	pair->server = NULL;
	await((session_look(pair->client), shmipc_session_error(pair->client)));
	assert_int_equal(session_stats_of(pair->client).bytes_written, 1);
	assert_int_equal(stream_stats_of(ends.near).bytes_written, 1);
	assert_int_equal(stream_stats_of(ends.far).bytes_read, 1);
	shmipc_stream_close(ends.near);
	shmipc_stream_close(ends.far);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(streams_are_counted_by_who_opened_them),
		ON_BOTH(a_half_open_stream_is_still_counted),
		ON_BOTH(a_reset_is_counted_at_both_sides),
		ON_BOTH(bytes_are_counted_as_written_and_as_read),
		ON_BOTH(messages_are_counted_at_both_sides),
		ON_BOTH(what_is_under_way_and_what_is_unread_are_gauges),
		ON_BOTH(small_bytes_that_are_held_for_readers_are_private),
		ON_BOTH(a_writer_that_had_to_wait_is_counted),
		ON_BOTH(an_end_for_another_reason_than_a_close_is_an_error),
		ON_BOTH(the_channels_counters_are_in_the_sessions),
		ON_BOTH(a_smaller_structure_of_an_older_caller_is_filled_and_no_more),
		ON_BOTH(counters_can_be_read_after_the_end),
	};

	return RUN_TESTS(tests, argc, argv);
}
