// SPDX-License-Identifier: Apache-2.0
/*
 * listener_streams.c - tests of accept_stream: streams of whichever session, with nobody driving the sessions
 */
#include <string.h>
#include <unistd.h>

#include "listener_pair.h"

static struct shmipc_session *connect_to(struct pair *pair, struct shmipc_listener *listener)
{
	struct shmipc_session_options options = client_options(pair);
	struct shmipc_session *session;

	assert_code(shmipc_session_connect(shmipc_listener_address(listener), &options, FAR, &session), 0);
	return session;
}

/* The first call begins: nobody takes connections before. */
static void begin(struct shmipc_listener *listener)
{
	struct shmipc_stream *stream = (void *)1;

	assert_code(shmipc_listener_accept_stream(listener, &stream, 0), -EAGAIN);
	assert_null(stream);
}

static void streams_of_all_sessions_arrive(struct pair *pair)
{
	enum { SESSIONS = 3, EACH = 4 };
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_stream *near[SESSIONS * EACH], *far;
	struct shmipc_session *clients[SESSIONS];
	int i, seen[SESSIONS * EACH] = { 0 };
	char byte;

	begin(listener);
	for (i = 0; i < SESSIONS; i++)
		clients[i] = connect_to(pair, listener);
	for (i = 0; i < SESSIONS * EACH; i++) {
		byte = (char)i;
		assert_code(shmipc_stream_open(clients[i % SESSIONS], &near[i]), 0);
		assert_code(shmipc_stream_write(near[i], &byte, 1, 0, FAR), 1);
	}
	for (i = 0; i < SESSIONS * EACH; i++) {
		assert_code(shmipc_listener_accept_stream(listener, &far, FAR), 0);
		assert_code(shmipc_stream_read(far, &byte, 1, FAR), 1);
		assert_true(byte >= 0 && byte < SESSIONS * EACH);
		assert_int_equal(seen[(int)byte]++, 0);
		assert_code(shmipc_stream_write(far, &byte, 1, 0, FAR), 1);
		shmipc_stream_close(far);
	}
	for (i = 0; i < SESSIONS * EACH; i++) {
		assert_code(shmipc_stream_read(near[i], &byte, 1, FAR), 1);
		assert_int_equal(byte, i);
		shmipc_stream_close(near[i]);
	}
	for (i = 0; i < SESSIONS; i++)
		shmipc_session_close(clients[i]);
	shmipc_listener_close(listener);
}

static void without_a_stream_it_says_eagain_or_etimedout(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_stream *stream = (void *)1;
	int64_t until;

	begin(listener);
	assert_code(shmipc_listener_accept_stream(listener, &stream, 1), -ETIMEDOUT);
	until = soon(30);
	assert_code(shmipc_listener_accept_stream(listener, &stream, until), -ETIMEDOUT);
	assert_true(now_ns() >= until);
	assert_null(stream);
	shmipc_listener_close(listener);
}

static int call_accept_stream(struct worker *worker)
{
	struct shmipc_stream *stream;

	return shmipc_listener_accept_stream(worker->argument, &stream, FAR);
}

static void shutdown_wakes_all_that_wait(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct worker workers[3];
	int i;

	for (i = 0; i < 3; i++) {
		workers[i] = (struct worker){ .call = call_accept_stream, .argument = listener };
		worker_start(&workers[i]);
	}
	for (i = 0; i < 3; i++)
		worker_await_sleep(&workers[i]);
	assert_code(shmipc_listener_shutdown(listener), 0);
	for (i = 0; i < 3; i++)
		assert_code(worker_join(&workers[i]), -ESHUTDOWN);
	shmipc_listener_close(listener);
}

static void not_together_with_accept(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *session;
	struct shmipc_stream *stream = (void *)1;

	assert_code(shmipc_listener_accept(listener, &session, 0), -EAGAIN);
	assert_code(shmipc_listener_accept_stream(listener, &stream, FAR), -EBUSY);
	assert_null(stream);
	shmipc_listener_close(listener);
	/* Nor with an event loop, or a dispatcher of one's own. */
	listener = listener_open(pair, NULL);
	assert_true(shmipc_listener_fd(listener) >= 0);
	assert_code(shmipc_listener_accept_stream(listener, &stream, FAR), -EBUSY);
	shmipc_listener_close(listener);
}

static void sessions_end_with_the_listener_but_streams_can_be_closed_after(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *client;
	struct shmipc_stream *near, *far;
	char byte;

	begin(listener);
	client = connect_to(pair, listener);
	assert_code(shmipc_stream_open(client, &near), 0);
	assert_code(shmipc_stream_write(near, "abc", 3, 0, FAR), 3);
	assert_code(shmipc_listener_accept_stream(listener, &far, FAR), 0);
	shmipc_listener_close(listener);
	/* What has arrived can be read still. */
	assert_code(shmipc_stream_read(far, &byte, 1, FAR), 1);
	assert_int_equal(byte, 'a');
	assert_code(shmipc_stream_write(far, "x", 1, 0, FAR), -ESHUTDOWN);
	assert_code(shmipc_stream_read(near, &byte, 1, FAR), -EPIPE);
	shmipc_stream_close(far);
	shmipc_stream_close(near);
	shmipc_session_close(client);
}

static void streams_that_nobody_took_end_with_the_listener(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *client;
	struct shmipc_stream *near;
	char byte;

	begin(listener);
	client = connect_to(pair, listener);
	assert_code(shmipc_stream_open(client, &near), 0);
	assert_code(shmipc_stream_write(near, "abc", 3, 0, FAR), 3);
	sleep_ms(20);
	shmipc_listener_close(listener);
	assert_true(shmipc_stream_read(near, &byte, 1, FAR) <= 0);
	shmipc_stream_close(near);
	shmipc_session_close(client);
}

static void more_than_the_backlog_are_refused(struct pair *pair)
{
	enum { ALL = 12, BACKLOG = 4 };
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_stream *near[ALL], *far;
	struct shmipc_listener *listener;
	struct shmipc_session *client;
	char byte;
	int i;

	options.session.backlog = BACKLOG;
	listener = listener_open(pair, &options);
	begin(listener);
	client = connect_to(pair, listener);
	for (i = 0; i < ALL; i++) {
		assert_code(shmipc_stream_open(client, &near[i]), 0);
		assert_code(shmipc_stream_write(near[i], "?", 1, 0, FAR), 1);
	}
	/* Those beyond hear of it while the others wait. */
	for (i = BACKLOG; i < ALL; i++)
		assert_code(shmipc_stream_read(near[i], &byte, 1, FAR), -ECONNREFUSED);
	for (i = 0; i < BACKLOG; i++) {
		assert_code(shmipc_listener_accept_stream(listener, &far, FAR), 0);
		shmipc_stream_close(far);
	}
	assert_code(shmipc_listener_accept_stream(listener, &far, 0), -EAGAIN);
	for (i = 0; i < ALL; i++)
		shmipc_stream_close(near[i]);
	shmipc_session_close(client);
	shmipc_listener_close(listener);
}

static void a_session_whose_client_goes_leaves_nothing(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *client;
	struct shmipc_stream *near, *far;
	int i, fds;

	begin(listener);
	fds = count_fds();
	for (i = 0; i < 10; i++) {
		client = connect_to(pair, listener);
		assert_code(shmipc_stream_open(client, &near), 0);
		assert_code(shmipc_stream_write(near, "?", 1, 0, FAR), 1);
		assert_code(shmipc_listener_accept_stream(listener, &far, FAR), 0);
		shmipc_stream_close(near);
		shmipc_stream_close(far);
		shmipc_session_close(client);
	}
	await(count_fds() == fds);
	shmipc_listener_close(listener);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(streams_of_all_sessions_arrive),
		ON_MEMFD(without_a_stream_it_says_eagain_or_etimedout),
		ON_MEMFD(shutdown_wakes_all_that_wait),
		ON_MEMFD(not_together_with_accept),
		ON_BOTH(sessions_end_with_the_listener_but_streams_can_be_closed_after),
		ON_BOTH(streams_that_nobody_took_end_with_the_listener),
		ON_BOTH(more_than_the_backlog_are_refused),
		ON_BOTH(a_session_whose_client_goes_leaves_nothing),
	};

	return RUN_TESTS(tests, argc, argv);
}
