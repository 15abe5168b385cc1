// SPDX-License-Identifier: Apache-2.0
/*
 * session_accept.c - tests of opening and accepting streams: from either side, how many, and what is said about them
 */
#include <string.h>
#include <unistd.h>

#include "session_pair.h"

static void open_sends_nothing(struct pair *pair)
{
	struct shmipc_session_stats before, after;
	struct shmipc_stream *stream, *other = NULL;

	session_pair_open(pair, NULL, NULL);
	before = session_stats_of(pair->client);
	assert_code(shmipc_stream_open(pair->client, &stream), 0);
	after = session_stats_of(pair->client);
	assert_int_equal(after.channel.messages_sent, before.channel.messages_sent);
	assert_int_equal(after.channel.system_calls, before.channel.system_calls);
	assert_code(shmipc_session_accept(pair->server, &other, soon(20)), -ETIMEDOUT);
	assert_null(other);
	shmipc_stream_close(stream);
	session_look(pair->server);
	assert_int_equal(session_stats_of(pair->server).streams_accepted, 0);
	assert_int_equal(session_streams(pair->client), 0);
}

static void the_first_bytes_make_a_stream_appear(struct pair *pair, struct shmipc_session *opener,
						 struct shmipc_session *accepter)
{
	struct shmipc_stream *near, *far;

	assert_code(shmipc_stream_open(opener, &near), 0);
	pattern_write(near, 1000, 1);
	assert_code(shmipc_session_accept(accepter, &far, FAR), 0);
	assert_int_equal(shmipc_stream_id(near), shmipc_stream_id(far));
	assert_int_equal(shmipc_stream_id(near) % 2, opener == pair->client);
	assert_ptr_equal(shmipc_stream_session(near), opener);
	assert_ptr_equal(shmipc_stream_session(far), accepter);
	pattern_read(far, 1000, 1);
	pattern_write(far, 2000, 2);
	pattern_read(near, 2000, 2);
	shmipc_stream_close(near);
	shmipc_stream_close(far);
	session_pair_await_empty(pair);
}

static void the_clients_first_bytes_make_its_stream_appear(struct pair *pair)
{
	session_pair_open(pair, NULL, NULL);
	the_first_bytes_make_a_stream_appear(pair, pair->client, pair->server);
}

static void the_servers_first_bytes_make_its_stream_appear(struct pair *pair)
{
	session_pair_open(pair, NULL, NULL);
	the_first_bytes_make_a_stream_appear(pair, pair->server, pair->client);
}

static void both_sides_may_open_streams_at_once(struct pair *pair)
{
	struct ends ends[6];
	int i, j;

	session_pair_open(pair, NULL, NULL);
	for (i = 0; i < 6; i++) {
		ends[i] = i % 2 ? ends_open_by(pair->server, pair->client) : ends_open(pair);
		for (j = 0; j < i; j++)
			assert_int_not_equal(shmipc_stream_id(ends[i].near), shmipc_stream_id(ends[j].near));
	}
	for (i = 0; i < 6; i++)
		pattern_write(ends[i].near, 500, (uint32_t)i);
	for (i = 6; i-- > 0;)
		pattern_read(ends[i].far, 500, (uint32_t)i);
	for (i = 0; i < 6; i++) {
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	session_pair_await_empty(pair);
}

static void streams_are_accepted_in_the_order_of_their_first_bytes(struct pair *pair)
{
	struct shmipc_stream *near[5], *far;
	int i;

	session_pair_open(pair, NULL, NULL);
	for (i = 0; i < 5; i++)
		assert_code(shmipc_stream_open(pair->client, &near[i]), 0);
	for (i = 5; i-- > 0;)
		pattern_write(near[i], 10, (uint32_t)i);
	for (i = 5; i-- > 0;) {
		assert_code(shmipc_session_accept(pair->server, &far, FAR), 0);
		assert_int_equal(shmipc_stream_id(far), shmipc_stream_id(near[i]));
		pattern_read(far, 10, (uint32_t)i);
		shmipc_stream_close(far);
		shmipc_stream_close(near[i]);
	}
	session_pair_await_empty(pair);
}

static void an_end_alone_makes_a_stream_appear(struct pair *pair)
{
	struct shmipc_stream *near, *far;
	char byte;

	session_pair_open(pair, NULL, NULL);
	assert_code(shmipc_stream_open(pair->client, &near), 0);
	assert_code(shmipc_stream_end(near), 0);
	assert_code(shmipc_session_accept(pair->server, &far, FAR), 0);
	assert_code(shmipc_stream_read(far, &byte, 1, FAR), 0);
	pattern_write(far, 10, 1);
	pattern_read(near, 10, 1);
	ends_close(pair, &(struct ends){ near, far });
}

static void accept_with_deadline_0_is_eagain_and_with_a_later_one_etimedout(struct pair *pair)
{
	struct shmipc_stream *stream = (void *)pair;
	int64_t deadline;

	session_pair_open(pair, NULL, NULL);
	assert_code(shmipc_session_accept(pair->server, &stream, 0), -EAGAIN);
	assert_code(shmipc_session_accept(pair->server, &stream, 1), -ETIMEDOUT);
	deadline = soon(15);
	assert_code(shmipc_session_accept(pair->server, &stream, deadline), -ETIMEDOUT);
	assert_true(now_ns() >= deadline);
}

static void a_blocked_accept_wakes_when_a_stream_comes(struct pair *pair)
{
	struct shmipc_stream *near;
	struct call call;

	session_pair_open(pair, NULL, NULL);
	call_accept(&call, pair->server, SHMIPC_FOREVER);
	worker_await_sleep(&call.worker);
	assert_code(shmipc_stream_open(pair->client, &near), 0);
	pattern_write(near, 10, 1);
	assert_code(worker_join(&call.worker), 0);
	pattern_read(call.stream, 10, 1);
	ends_close(pair, &(struct ends){ near, call.stream });
}

static void two_threads_may_accept_at_once(struct pair *pair)
{
	struct call calls[2];
	struct ends ends[2];
	int i;

	session_pair_open(pair, NULL, NULL);
	for (i = 0; i < 2; i++)
		call_accept(&calls[i], pair->server, SHMIPC_FOREVER);
	for (i = 0; i < 2; i++)
		worker_await_sleep(&calls[i].worker);
	for (i = 0; i < 2; i++) {
		assert_code(shmipc_stream_open(pair->client, &ends[i].near), 0);
		pattern_write(ends[i].near, 10, 1);
	}
	for (i = 0; i < 2; i++)
		assert_code(worker_join(&calls[i].worker), 0);
	assert_int_not_equal(shmipc_stream_id(calls[0].stream), shmipc_stream_id(calls[1].stream));
	for (i = 0; i < 2; i++) {
		pattern_read(calls[i].stream, 10, 1);
		shmipc_stream_close(calls[i].stream);
		shmipc_stream_close(ends[i].near);
	}
	session_pair_await_empty(pair);
}

static void more_streams_than_streams_max_are_emfile_until_one_is_closed(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct ends ends[4];
	struct shmipc_stream *extra = NULL;
	int i;

	options.streams_max = 4;
	session_pair_open(pair, &options, NULL);
	for (i = 0; i < 4; i++)
		ends[i] = i % 2 ? ends_open_by(pair->server, pair->client) : ends_open(pair);
	assert_code(shmipc_stream_open(pair->client, &extra), -EMFILE);
	shmipc_stream_close(ends[0].near);
	shmipc_stream_close(ends[0].far);
	await((session_look(pair->server), session_look(pair->client), session_streams(pair->client) == 3));
	ends[0] = ends_open(pair);
	for (i = 0; i < 4; i++) {
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	session_pair_await_empty(pair);
}

/* What the opener of a stream that is refused learns, whatever it does. */
static void expect_refused(struct shmipc_stream *near)
{
	struct shmipc_piece piece;
	const void *data;
	char byte;

	assert_code(shmipc_stream_read(near, &byte, 1, FAR), -ECONNREFUSED);
	assert_code(shmipc_stream_read(near, &byte, 1, 0), -ECONNREFUSED);
	assert_code(shmipc_stream_receive(near, &piece, 0), -ECONNREFUSED);
	assert_code(shmipc_stream_peek(near, 1, &data, 0), -ECONNREFUSED);
	assert_code(shmipc_stream_write(near, "x", 1, 0, FAR), -ECONNREFUSED);
}

static void streams_beyond_the_peers_backlog_are_refused_and_the_others_are_well(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct shmipc_stream *near[5], *far;
	int i;

	options.backlog = 3;
	session_pair_open(pair, NULL, &options);
	for (i = 0; i < 5; i++) {
		assert_code(shmipc_stream_open(pair->client, &near[i]), 0);
		pattern_write(near[i], 3000, (uint32_t)i);
	}
	/* Takes all five in, and one out. */
	assert_code(shmipc_session_accept(pair->server, &far, FAR), 0);
	assert_int_equal(session_stats_of(pair->server).streams_refused, 2);
	for (i = 0; i < 3; i++) {
		if (i)
			assert_code(shmipc_session_accept(pair->server, &far, FAR), 0);
		pattern_read(far, 3000, (uint32_t)i);
		pattern_write(far, 10, 9);
		pattern_read(near[i], 10, 9);
		shmipc_stream_close(far);
	}
	for (i = 3; i < 5; i++)
		expect_refused(near[i]);
	for (i = 0; i < 5; i++)
		shmipc_stream_close(near[i]);
	session_pair_await_empty(pair);
	assert_int_equal(session_stats_of(pair->server).streams_accepted, 3);
}

static void a_peer_that_does_not_know_of_streams_max_is_refused(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct ends ends[2];
	struct shmipc_stream *near;
	int r;

	options.streams_max = 2;
	session_pair_open(pair, NULL, &options);
	ends[0] = ends_open(pair);
	ends[1] = ends_open(pair);
	/* The handshake told the client: it says so itself, or the server does. */
	r = shmipc_stream_open(pair->client, &near);
	if (!r) {
		pattern_write(near, 100, 1);
		session_look(pair->server);
		expect_refused(near);
		shmipc_stream_close(near);
	} else {
		assert_code(r, -EMFILE);
	}
	shmipc_stream_close(ends[0].near);
	shmipc_stream_close(ends[0].far);
	ends_close(pair, &ends[1]);
}

static void a_stream_that_was_ended_before_it_is_accepted_is_accepted_all_the_same(struct pair *pair)
{
	struct shmipc_stream *near, *far;
	char byte;

	session_pair_open(pair, NULL, NULL);
	assert_code(shmipc_stream_open(pair->client, &near), 0);
	pattern_write(near, 50000, 7);
	shmipc_stream_close(near);
	assert_code(shmipc_session_accept(pair->server, &far, FAR), 0);
	pattern_read(far, 50000, 7);
	assert_code(shmipc_stream_read(far, &byte, 1, FAR), 0);
	shmipc_stream_close(far);
	session_pair_await_empty(pair);
}

static void a_closed_streams_number_does_not_reach_a_new_stream(struct pair *pair)
{
	struct ends first, second;
	char byte;

	session_pair_open(pair, NULL, NULL);
	first = ends_open(pair);
	shmipc_stream_close(first.far);
	/* Not known to the client yet: these go to nobody. */
	shmipc_stream_write(first.near, "ghost", 5, 0, 0);
	second = ends_open(pair);
	assert_int_not_equal(shmipc_stream_id(first.near), shmipc_stream_id(second.near));
	assert_code(shmipc_stream_read(second.far, &byte, 1, 0), -EAGAIN);
	shmipc_stream_close(first.near);
	ends_close(pair, &second);
	assert_int_equal(session_stats_of(pair->server).streams_accepted, 2);
}

static void user_pointers_are_kept(struct pair *pair)
{
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	assert_null(shmipc_session_user(pair->client));
	assert_null(shmipc_stream_user(ends.near));
	shmipc_session_set_user(pair->client, pair);
	shmipc_stream_set_user(ends.near, &ends);
	assert_ptr_equal(shmipc_session_user(pair->client), pair);
	assert_ptr_equal(shmipc_stream_user(ends.near), &ends);
	assert_null(shmipc_session_user(pair->server));
	assert_null(shmipc_stream_user(ends.far));
	ends_close(pair, &ends);
}

static void a_session_tells_its_backend_its_peer_and_that_it_is_well(struct pair *pair)
{
	struct shmipc_session *sides[2];
	struct shmipc_peer peer;
	int i;

	session_pair_open(pair, NULL, NULL);
	sides[0] = pair->client;
	sides[1] = pair->server;
	for (i = 0; i < 2; i++) {
		memset(&peer, 0xa5, sizeof(peer));
		assert_int_equal(shmipc_session_backend(sides[i]), pair->backend);
		assert_code(shmipc_session_peer(sides[i], &peer), 0);
		assert_int_equal(peer.pid, getpid());
		assert_int_equal(peer.uid, geteuid());
		assert_int_equal(peer.gid, getegid());
		assert_code(shmipc_session_error(sides[i]), 0);
		assert_int_equal(shmipc_session_is_healthy(sides[i]), 1);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(open_sends_nothing),
		ON_BOTH(the_clients_first_bytes_make_its_stream_appear),
		ON_BOTH(the_servers_first_bytes_make_its_stream_appear),
		ON_BOTH(both_sides_may_open_streams_at_once),
		ON_BOTH(streams_are_accepted_in_the_order_of_their_first_bytes),
		ON_BOTH(an_end_alone_makes_a_stream_appear),
		ON_BOTH(accept_with_deadline_0_is_eagain_and_with_a_later_one_etimedout),
		ON_BOTH(a_blocked_accept_wakes_when_a_stream_comes),
		ON_BOTH(two_threads_may_accept_at_once),
		ON_BOTH(more_streams_than_streams_max_are_emfile_until_one_is_closed),
		ON_BOTH(streams_beyond_the_peers_backlog_are_refused_and_the_others_are_well),
		ON_BOTH(a_peer_that_does_not_know_of_streams_max_is_refused),
		ON_BOTH(a_stream_that_was_ended_before_it_is_accepted_is_accepted_all_the_same),
		ON_BOTH(a_closed_streams_number_does_not_reach_a_new_stream),
		ON_BOTH(user_pointers_are_kept),
		ON_BOTH(a_session_tells_its_backend_its_peer_and_that_it_is_well),
	};

	return RUN_TESTS(tests, argc, argv);
}
