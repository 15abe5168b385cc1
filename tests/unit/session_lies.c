// SPDX-License-Identifier: Apache-2.0
/*
 * session_lies.c - tests of single messages that no honest peer sends: the session ends with -EBADMSG, once, and other sessions go
 * on; or they are dropped. tests/stress/liars mixes them at random
 */
#include "session/internal.h"

#include <string.h>

#include "session_pair.h"

/* The client's process is the liar: what it says goes into its lane, past its session. */
static void say(struct pair *pair, uint32_t id, uint16_t kind, const void *data, size_t size)
{
	assert_code(shmipc_channel_push(pair->client->channel, data, size, id, kind, 0), 0);
}

static void expect_end(struct pair *pair)
{
	struct shmipc_stream *stream;

	assert_code(shmipc_session_accept(pair->server, &stream, soon(5000)), -EBADMSG);
	assert_code(shmipc_session_error(pair->server), -EBADMSG);
	assert_code(shmipc_session_process(pair->server), -EBADMSG);
	assert_int_equal(session_stats_of(pair->server).errors, 1);
}

static void expect_no_end(struct pair *pair)
{
	struct ends ends;

	session_look(pair->server);
	assert_code(shmipc_session_error(pair->server), 0);
	ends = ends_open(pair);
	pattern_write(ends.near, 5000, 1);
	pattern_read(ends.far, 5000, 1);
	ends_close(pair, &ends);
}

#define LIE(name, id, kind, data, size, expect)                                                                        \
	static void name(struct pair *pair)                                                                            \
	{                                                                                                              \
		session_pair_open(pair, NULL, NULL);                                                                   \
		say(pair, id, kind, data, size);                                                                       \
		expect(pair);                                                                                          \
	}

static const uint32_t four[4] = { 1, 2, 3, 4 };

LIE(an_unknown_kind_ends_it, 1, 77, NULL, 0, expect_end)
LIE(kind_0_ends_it, 1, 0, NULL, 0, expect_end)
LIE(an_unknown_kind_of_the_session_ends_it, 0, 77, NULL, 0, expect_end)
LIE(data_for_the_session_itself_ends_it, 0, MSG_DATA, "x", 1, expect_end)
LIE(opening_a_number_of_the_others_ends_it, 2, MSG_DATA | MSG_OPEN, "x", 1, expect_end)
LIE(a_window_of_a_wrong_size_ends_it, 1, MSG_WINDOW, four, 4, expect_end)
LIE(a_reset_of_a_wrong_size_ends_it, 1, MSG_RESET, four, 3, expect_end)
LIE(a_goodbye_with_bytes_ends_it, 0, MSG_GOODBYE, four, 1, expect_end)
LIE(a_fallback_of_a_wrong_size_ends_it, 1, MSG_FALLBACK, four, 3, expect_end)
LIE(data_for_an_unknown_stream_is_dropped, 4711, MSG_DATA, "x", 1, expect_no_end)
LIE(a_close_of_an_unknown_stream_is_dropped, 4711, MSG_CLOSE, NULL, 0, expect_no_end)
LIE(a_reset_of_an_unknown_stream_is_dropped, 4711, MSG_RESET, four, 4, expect_no_end)
LIE(a_window_of_an_unknown_stream_is_dropped, 4711, MSG_WINDOW, four, 8, expect_no_end)
LIE(a_refusal_of_an_unknown_stream_is_dropped, 4711, MSG_REFUSE, NULL, 0, expect_no_end)

static void opening_twice_ends_it(struct pair *pair)
{
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	say(pair, shmipc_stream_id(ends.near), MSG_DATA | MSG_OPEN, "x", 1);
	expect_end(pair);
	shmipc_stream_close(ends.near);
	shmipc_stream_close(ends.far);
}

static void data_after_the_end_ends_it(struct pair *pair)
{
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	assert_code(shmipc_stream_end(ends.near), 0);
	session_look(pair->server);
	say(pair, shmipc_stream_id(ends.near), MSG_DATA, "x", 1);
	expect_end(pair);
	shmipc_stream_close(ends.near);
	shmipc_stream_close(ends.far);
}

static void a_fallback_whose_bytes_do_not_come_ends_it_in_time(struct pair *pair)
{
	uint32_t n = 100;

	session_pair_open(pair, NULL, NULL);
	say(pair, 1, MSG_FALLBACK | MSG_OPEN, &n, sizeof(n));
	await((shmipc_session_process(pair->server), shmipc_session_error(pair->server) == -EBADMSG));
}

static void more_small_bytes_than_private_max_end_it_and_are_not_held(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	static char bytes[4096];
	int i;

	options.private_max = 65536;
	session_pair_open(pair, NULL, &options);
	say(pair, 1, MSG_DATA | MSG_OPEN, bytes, sizeof(bytes));
	for (i = 0; i < 100 && !shmipc_session_error(pair->server); i++) {
		say(pair, 1, MSG_DATA, bytes, sizeof(bytes));
		shmipc_session_process(pair->server);
	}
	assert_code(shmipc_session_error(pair->server), -EBADMSG);
	assert_true(i <= 2 * 65536 / 4096);
}

static void window_values_beyond_what_was_sent_fool_only_their_own_stream(struct pair *pair)
{
	static const uint64_t values[] = { 1, 0, UINT64_MAX, 1ull << 63, 1000000 };
	struct ends fooled, other;
	size_t i;

	session_pair_open(pair, NULL, NULL);
	fooled = ends_open(pair);
	other = ends_open(pair);
	for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
		say(pair, shmipc_stream_id(fooled.near), MSG_WINDOW, &values[i], sizeof(values[i]));
		shmipc_stream_write(fooled.far, "some bytes", 10, 0, 0);
		pattern_write(other.far, 3000, 1);
		pattern_read(other.near, 3000, 1);
	}
	assert_code(shmipc_session_error(pair->server), 0);
	shmipc_stream_close(fooled.near);
	shmipc_stream_close(fooled.far);
	shmipc_stream_close(other.near);
	shmipc_stream_close(other.far);
}

static int streams_seen, ends_seen;

static void count_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	(void)session;
	(void)arg;
	streams_seen++;
	shmipc_stream_close(stream);
}

static void count_end(struct shmipc_session *session, int reason, void *arg)
{
	(void)session;
	(void)arg;
	ends_seen += reason == -EBADMSG;
}

/* The message stays in the ring: it must not be taken again. */
static void what_ended_a_session_is_seen_once(struct pair *pair)
{
	static const struct shmipc_session_callbacks callbacks = { .on_stream = count_stream, .on_end = count_end };
	int i;

	session_pair_open(pair, NULL, NULL);
	streams_seen = ends_seen = 0;
	assert_code(shmipc_session_set_callbacks(pair->server, &callbacks, NULL), 0);
	say(pair, 1, 77 | MSG_OPEN, NULL, 0);
	for (i = 0; i < 20; i++)
		shmipc_session_process(pair->server);
	assert_true(streams_seen <= 1);
	assert_int_equal(ends_seen, 1);
}

static void streams_that_arrive_after_a_close_leave_nothing(struct pair *pair)
{
	struct ends ends;
	uint32_t i;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	for (i = 0; i < 5; i++)
		say(pair, 101 + 2 * i, MSG_DATA | MSG_OPEN, "x", 1);
	shmipc_session_close(pair->server);
	pair->server = NULL;
	/* The handle that is left harvests for the session. */
	assert_code(shmipc_stream_read(ends.far, &i, 1, FAR), -ESHUTDOWN);
	shmipc_stream_close(ends.far);
	shmipc_stream_close(ends.near);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(an_unknown_kind_ends_it),
		ON_BOTH(kind_0_ends_it),
		ON_BOTH(an_unknown_kind_of_the_session_ends_it),
		ON_BOTH(data_for_the_session_itself_ends_it),
		ON_BOTH(opening_a_number_of_the_others_ends_it),
		ON_BOTH(a_window_of_a_wrong_size_ends_it),
		ON_BOTH(a_reset_of_a_wrong_size_ends_it),
		ON_BOTH(a_goodbye_with_bytes_ends_it),
		ON_BOTH(a_fallback_of_a_wrong_size_ends_it),
		ON_BOTH(data_for_an_unknown_stream_is_dropped),
		ON_BOTH(a_close_of_an_unknown_stream_is_dropped),
		ON_BOTH(a_reset_of_an_unknown_stream_is_dropped),
		ON_BOTH(a_window_of_an_unknown_stream_is_dropped),
		ON_BOTH(a_refusal_of_an_unknown_stream_is_dropped),
		ON_BOTH(opening_twice_ends_it),
		ON_BOTH(data_after_the_end_ends_it),
		ON_BOTH(a_fallback_whose_bytes_do_not_come_ends_it_in_time),
		ON_BOTH(more_small_bytes_than_private_max_end_it_and_are_not_held),
		ON_BOTH(window_values_beyond_what_was_sent_fool_only_their_own_stream),
		ON_BOTH(what_ended_a_session_is_seen_once),
		ON_BOTH(streams_that_arrive_after_a_close_leave_nothing),
	};

	return RUN_TESTS(tests, argc, argv);
}
