// SPDX-License-Identifier: Apache-2.0
/*
 * session_loop.c - tests of a session's descriptor: poll, level- and edge-triggered epoll, and calls that block beside a loop
 */
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "session_pair.h"

static bool is_readable(struct shmipc_session *session, int milliseconds)
{
	struct pollfd fd = { .fd = shmipc_session_fd(session), .events = POLLIN };
	int n;

	assert_true(fd.fd >= 0);
	n = poll(&fd, 1, milliseconds);
	assert_true(n >= 0);
	assert_false(fd.revents & POLLNVAL);
	return fd.revents & POLLIN;
}

static int process_all(struct shmipc_session *session)
{
	int r, total = 0;

	while ((r = shmipc_session_process(session)) > 0)
		total += r;
	return r < 0 ? r : total;
}

static void the_descriptor_speaks_up_when_something_comes_and_is_quiet_after_process(struct pair *pair)
{
	struct ends ends;
	int i;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	assert_true(shmipc_session_fd(pair->server) == shmipc_session_fd(pair->server));
	process_all(pair->server);
	for (i = 0; i < 20; i++) {
		await(!is_readable(pair->server, 0) || (process_all(pair->server), false));
		pattern_write(ends.near, i % 2 ? 100 : 50000, 1);
		assert_true(is_readable(pair->server, 10000));
		process_all(pair->server);
		assert_code(shmipc_stream_discard(ends.far, 50000, 0), i % 2 ? 100 : 50000);
	}
	ends_close(pair, &ends);
}

static void data_that_came_before_the_descriptor_was_asked_for_is_reported(struct pair *pair)
{
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	pattern_write(ends.near, 10, 1);
	assert_true(is_readable(pair->server, 10000));
	process_all(pair->server);
	pattern_read(ends.far, 10, 1);
	ends_close(pair, &ends);
}

static void the_peers_end_makes_the_descriptor_readable_and_process_says_so(struct pair *pair)
{
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	shmipc_session_fd(pair->server);
	process_all(pair->server);
	pattern_write(ends.near, 10, 1);
	shmipc_session_close(pair->client);
	pair->client = NULL;
	assert_true(is_readable(pair->server, 10000));
	shmipc_stream_close(ends.near);
	await(process_all(pair->server) == -EPIPE);
	pattern_read(ends.far, 10, 1);
	assert_code(shmipc_stream_read(ends.far, &(char){ 0 }, 1, FAR), -EPIPE);
	shmipc_stream_close(ends.far);
}

static void ones_own_shutdown_makes_the_descriptor_readable(struct pair *pair)
{
	session_pair_open(pair, NULL, NULL);
	shmipc_session_fd(pair->server);
	process_all(pair->server);
	assert_code(shmipc_session_shutdown(pair->server), 0);
	assert_true(is_readable(pair->server, 10000));
	assert_code(process_all(pair->server), -ESHUTDOWN);
}

/* An echo server in a loop of its own. */
struct echo {
	struct worker worker;
	struct shmipc_session *session;
	uint32_t events; /* for epoll */
	_Atomic bool stop;
	_Atomic uint64_t bytes;
	_Atomic int streams;
};

static void echo(struct shmipc_stream *stream, void *arg)
{
	struct echo *e = arg;
	char data[6000];
	ssize_t n;

	while ((n = shmipc_stream_read(stream, data, sizeof(data), 0)) > 0) {
		e->bytes += (uint64_t)n;
		if (shmipc_stream_write(stream, data, (size_t)n, 0, SHMIPC_FOREVER) != n)
			return;
	}
	if (n == 0)
		shmipc_stream_end(stream);
}

static void close_ended(struct shmipc_stream *stream, int reason, void *arg)
{
	struct echo *e = arg;

	(void)reason;
	shmipc_stream_close(stream);
	e->streams--;
}

static void take_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	static const struct shmipc_stream_callbacks callbacks = { .on_readable = echo, .on_end = close_ended };
	struct echo *e = arg;

	(void)session;
	e->streams++;
	shmipc_stream_set_callbacks(stream, &callbacks, arg);
}

static int run_loop(struct worker *worker)
{
	struct echo *e = (struct echo *)worker;
	struct epoll_event event = { .events = EPOLLIN | e->events };
	int loop = epoll_create1(EPOLL_CLOEXEC), r = 0;

	if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, shmipc_session_fd(e->session), &event))
		return -1;
	while (!e->stop && r >= 0) {
		/* No deadline but the test's: a lost event is a hang. */
		if (epoll_wait(loop, &event, 1, e->stop ? 0 : 60000) == 1)
			r = shmipc_session_process(e->session);
		/* A level-triggered loop may leave something; an edge-triggered one goes on until there is nothing. */
		while (e->events & EPOLLET && r > 0)
			r = shmipc_session_process(e->session);
	}
	close(loop);
	return r;
}

static void start_echo(struct pair *pair, struct echo *echo, uint32_t events)
{
	static const struct shmipc_session_callbacks callbacks = { .on_stream = take_stream };

	*echo = (struct echo){ .worker.call = run_loop, .session = pair->server, .events = events };
	assert_code(shmipc_session_set_callbacks(pair->server, &callbacks, echo), 0);
	worker_start(&echo->worker);
}

static void stop_echo(struct pair *pair, struct echo *echo)
{
	await(echo->streams == 0);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	assert_code(worker_join(&echo->worker), -EPIPE);
}

static void a_loop_echoes(struct pair *pair, uint32_t events)
{
	struct shmipc_stream *streams[4];
	struct echo echo;
	uint32_t i, round;

	session_pair_open(pair, NULL, NULL);
	start_echo(pair, &echo, events);
	for (i = 0; i < 4; i++)
		assert_code(shmipc_stream_open(pair->client, &streams[i]), 0);
	for (round = 0; round < 300; round++) {
		for (i = 0; i < 4; i++)
			pattern_write(streams[i], (round * 37 + i) % 3000 + 1, round);
		for (i = 0; i < 4; i++)
			pattern_read(streams[i], (round * 37 + i) % 3000 + 1, round);
	}
	for (i = 0; i < 4; i++) {
		assert_code(shmipc_stream_end(streams[i]), 0);
		assert_code(shmipc_stream_read(streams[i], &round, 1, FAR), 0);
		shmipc_stream_close(streams[i]);
	}
	stop_echo(pair, &echo);
}

static void a_level_triggered_loop_loses_nothing(struct pair *pair)
{
	a_loop_echoes(pair, 0);
}

static void an_edge_triggered_loop_loses_nothing(struct pair *pair)
{
	a_loop_echoes(pair, EPOLLET);
}

/* Both ends in loops of their own, a callback that writes more than the window. */
static void a_callback_in_a_loop_may_block_on_what_its_own_loop_would_bring(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	static unsigned char out[300000], in[300000];
	struct shmipc_stream *stream;
	struct echo echo;
	struct call call;
	size_t got = 0;
	ssize_t n;

	options.window = 16384;
	session_pair_open(pair, &options, &options);
	start_echo(pair, &echo, EPOLLET);
	assert_code(shmipc_stream_open(pair->client, &stream), 0);
	pattern_fill(out, sizeof(out), 3);
	call_write(&call, stream, out, sizeof(out), SHMIPC_FOREVER);
	while (got < sizeof(in) && (n = shmipc_stream_read(stream, in + got, sizeof(in) - got, FAR)) > 0)
		got += (size_t)n;
	assert_code(worker_join(&call.worker), sizeof(out));
	assert_memory_equal(in, out, sizeof(in));
	assert_code(shmipc_stream_end(stream), 0);
	assert_code(shmipc_stream_read(stream, in, 1, FAR), 0);
	shmipc_stream_close(stream);
	stop_echo(pair, &echo);
}

static void a_call_that_blocks_beside_a_loop_gets_its_data(struct pair *pair)
{
	struct ends loops, blocking;
	struct echo echo;
	struct call call;
	char in[10];
	uint32_t i;

	session_pair_open(pair, NULL, NULL);
	blocking = ends_open(pair);
	start_echo(pair, &echo, EPOLLET);
	assert_code(shmipc_stream_open(pair->client, &loops.near), 0);
	for (i = 0; i < 100; i++) {
		call_read(&call, blocking.far, in, sizeof(in), SHMIPC_FOREVER);
		if (i % 10 == 0)
			worker_await_sleep(&call.worker);
		pattern_write(loops.near, 100, i);
		pattern_write(blocking.near, 10, i);
		assert_code(worker_join(&call.worker), 10);
		assert_true(pattern_is(in, 10, i));
		pattern_read(loops.near, 100, i);
	}
	assert_code(shmipc_stream_end(loops.near), 0);
	assert_code(shmipc_stream_read(loops.near, in, 1, FAR), 0);
	shmipc_stream_close(loops.near);
	shmipc_stream_close(blocking.near);
	shmipc_stream_close(blocking.far);
	stop_echo(pair, &echo);
}

/* The reader that blocks takes the others' messages from the ring: their callbacks are due all the same. */
static void what_a_blocked_call_harvested_for_others_wakes_the_loop(struct pair *pair)
{
	struct ends blocking;
	struct shmipc_stream *stream;
	struct echo echo;
	struct call call;
	char in[10];
	uint32_t i;

	session_pair_open(pair, NULL, NULL);
	blocking = ends_open(pair);
	start_echo(pair, &echo, 0);
	assert_code(shmipc_stream_open(pair->client, &stream), 0);
	call_read(&call, blocking.far, in, sizeof(in), SHMIPC_FOREVER);
	worker_await_sleep(&call.worker);
	for (i = 0; i < 200; i++) {
		pattern_write(stream, i % 300 + 1, i);
		pattern_read(stream, i % 300 + 1, i);
	}
	assert_false(call.worker.over);
	pattern_write(blocking.near, 10, 1);
	assert_code(worker_join(&call.worker), 10);
	assert_code(shmipc_stream_end(stream), 0);
	assert_code(shmipc_stream_read(stream, in, 1, FAR), 0);
	shmipc_stream_close(stream);
	shmipc_stream_close(blocking.near);
	shmipc_stream_close(blocking.far);
	stop_echo(pair, &echo);
}

static void the_loops_owner_may_block_on_a_stream_without_processing(struct pair *pair)
{
	struct ends ends;
	uint32_t i;

	session_pair_open(pair, NULL, NULL);
	assert_true(shmipc_session_fd(pair->client) >= 0);
	assert_true(shmipc_session_fd(pair->server) >= 0);
	ends = ends_open(pair);
	for (i = 0; i < 200; i++) {
		pattern_write(ends.near, i + 1, i);
		pattern_read(ends.far, i + 1, i);
		pattern_write(ends.far, i + 1, i);
		pattern_read(ends.near, i + 1, i);
	}
	assert_code(shmipc_stream_read(ends.near, &i, 1, soon(5)), -ETIMEDOUT);
	ends_close(pair, &ends);
}

static void an_idle_loop_sleeps(struct pair *pair)
{
	struct epoll_event event = { .events = EPOLLIN };
	int loop = epoll_create1(EPOLL_CLOEXEC), i, woken = 0;
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, shmipc_session_fd(pair->server), &event), 0);
	for (i = 0; i < 30; i++)
		if (epoll_wait(loop, &event, 1, 5) == 1) {
			process_all(pair->server);
			woken++;
		}
	assert_true(woken < 5);
	close(loop);
	ends_close(pair, &ends);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(the_descriptor_speaks_up_when_something_comes_and_is_quiet_after_process),
		ON_BOTH(data_that_came_before_the_descriptor_was_asked_for_is_reported),
		ON_BOTH(the_peers_end_makes_the_descriptor_readable_and_process_says_so),
		ON_BOTH(ones_own_shutdown_makes_the_descriptor_readable),
		ON_BOTH(a_level_triggered_loop_loses_nothing),
		ON_BOTH(an_edge_triggered_loop_loses_nothing),
		ON_BOTH(a_callback_in_a_loop_may_block_on_what_its_own_loop_would_bring),
		ON_BOTH(a_call_that_blocks_beside_a_loop_gets_its_data),
		ON_BOTH(what_a_blocked_call_harvested_for_others_wakes_the_loop),
		ON_BOTH(the_loops_owner_may_block_on_a_stream_without_processing),
		ON_BOTH(an_idle_loop_sleeps),
	};

	return RUN_TESTS(tests, argc, argv);
}
