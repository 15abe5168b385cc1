// SPDX-License-Identifier: Apache-2.0
/*
 * listener_crowd.c - tests of many clients, slow ones beside fast ones, and of those that ask for too much
 *
 * Each test also checks that no descriptor and no mapping is left.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listener_pair.h"
#include "wire/codec.h"

/* Descriptors for so many sessions, both sides in this process. */
static void allow_descriptors(rlim_t count)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur >= count)
		return;
	limit.rlim_cur = count;
	if (limit.rlim_max < count)
		limit.rlim_max = count;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		skip_because("the limit of open files is too low, and cannot be raised");
}

static void a_thousand_sessions_live_at_once(struct pair *pair)
{
	enum { THREADS = 4, EACH = 250, ALL = THREADS * EACH };
	struct shmipc_listener *listener;
	struct shmipc_session **clients = calloc(ALL, sizeof(*clients)), **servers = calloc(ALL, sizeof(*servers));
	struct worker workers[THREADS];
	struct many many[THREADS];
	int i;

	allow_descriptors(ALL * 10);
	listener = listener_open(pair, NULL);
	for (i = 0; i < THREADS; i++) {
		many[i] = (struct many){ pair, shmipc_listener_address(listener), clients + i * EACH, EACH };
		workers[i] = (struct worker){ .call = connect_many, .argument = &many[i] };
		worker_start(&workers[i]);
	}
	for (i = 0; i < ALL; i++)
		assert_code(shmipc_listener_accept(listener, &servers[i], soon(90000)), 0);
	for (i = 0; i < THREADS; i++)
		assert_code(worker_join(&workers[i]), EACH);
	assert_code(shmipc_listener_accept(listener, &(struct shmipc_session *){ NULL }, 0), -EAGAIN);
	for (i = 0; i < ALL; i++) {
		assert_code(shmipc_session_error(clients[i]), 0);
		assert_code(shmipc_session_error(servers[i]), 0);
	}
	/* One that was there before the others still works. */
	for (i = 0; i < ALL; i += 333) {
		struct shmipc_stream *near, *far = NULL;
		int j;

		assert_code(shmipc_stream_open(clients[i], &near), 0);
		assert_code(shmipc_stream_write(near, "?", 1, 0, FAR), 1);
		for (j = 0; j < ALL && !far; j++)
			if (shmipc_session_accept(servers[j], &far, 0))
				far = NULL;
		assert_non_null(far);
		shmipc_stream_close(near);
		shmipc_stream_close(far);
	}
	for (i = 0; i < ALL; i++) {
		shmipc_session_close(clients[i]);
		shmipc_session_close(servers[i]);
	}
	shmipc_listener_close(listener);
	free(clients);
	free(servers);
}

/* How far a client goes that then says nothing more. */
static void say_a_little(int fd, int how_much)
{
	static const unsigned char exchange[] = { 0, 0, 0, 8, 0x77, 0x58, 3, 4 };
	static const unsigned char hello[] = { 0, 0, 0, WIRE_HELLO_SIZE, 0x77, 0x58, 16, 16, 0, 0 };

	if (how_much > 0)
		assert_int_equal(send(fd, exchange, how_much > 1 ? 8 : 3, MSG_NOSIGNAL), how_much > 1 ? 8 : 3);
	if (how_much > 2)
		assert_int_equal(send(fd, hello, sizeof(hello), MSG_NOSIGNAL), sizeof(hello));
}

static void clients_that_say_nothing_delay_nobody(struct pair *pair)
{
	enum { SILENT = 200 };
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *client, *server;
	int silent[SILENT], i;
	int64_t began;

	for (i = 0; i < SILENT; i++) {
		silent[i] = connect_bare(shmipc_listener_address(listener));
		say_a_little(silent[i], i % 4);
	}
	began = now_ns();
	for (i = 0; i < 5; i++) {
		listener_connect(pair, listener, &client, &server);
		echo_once(client, server);
		shmipc_session_close(client);
		shmipc_session_close(server);
	}
	/* They have 20 s: five clients that waited behind even one of them would not be done yet. */
	assert_true(now_ns() - began < 10000000000);
	for (i = 0; i < SILENT; i++)
		close(silent[i]);
	shmipc_listener_close(listener);
}

static void clients_that_say_nothing_are_hung_up_on_in_time(struct pair *pair)
{
	enum { SILENT = 40 };
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_listener *listener;
	int silent[SILENT], i, left;
	int64_t began;

	options.handshake_ms = 150;
	listener = listener_open(pair, &options);
	began = now_ns();
	for (i = 0; i < SILENT; i++) {
		silent[i] = connect_bare(shmipc_listener_address(listener));
		say_a_little(silent[i], i % 4);
	}
	assert_code(shmipc_listener_process(listener), 0);
	for (i = 0; i < SILENT; i++)
		assert_true(!is_hung_up(silent[i]) || now_ns() - began > 150000000);
	/* The descriptor says when there is something to do, and there is no work in between. */
	for (left = SILENT; left;) {
		assert_int_equal(
			poll(&(struct pollfd){ .fd = shmipc_listener_fd(listener), .events = POLLIN }, 1, 20000), 1);
		assert_code(shmipc_listener_process(listener), 0);
		for (left = 0, i = 0; i < SILENT; i++)
			left += !is_hung_up(silent[i]);
	}
	assert_true(now_ns() - began >= 150000000);
	for (i = 0; i < SILENT; i++)
		close(silent[i]);
	shmipc_listener_close(listener);
}

static void what_is_not_a_handshake_is_hung_up_on_at_once(struct pair *pair)
{
	static const unsigned char first[][8] = {
		{ 0, 0, 0, 8, 0x77, 0x58, 0, 10 },
		{ 0, 0, 0, 8, 0x77, 0x58, 2, 0 },
		{ 'G', 'E', 'T', ' ', '/' },
		{ 0, 0, 0, 8, 0x77, 0x58, 16, 4 },
		{ 0xff, 0xff, 0xff, 0xff, 0x77, 0x58, 3, 4 },
	};
	struct shmipc_listener *listener = listener_open(pair, NULL);
	size_t i;
	int fd;

	for (i = 0; i < sizeof(first) / sizeof(*first); i++) {
		fd = connect_bare(shmipc_listener_address(listener));
		assert_int_equal(send(fd, first[i], 8, MSG_NOSIGNAL), 8);
		assert_code(shmipc_listener_process(listener), 0);
		assert_true(is_hung_up(fd));
		close(fd);
	}
	shmipc_listener_close(listener);
}

static void no_more_handshakes_at_a_time_than_allowed(struct pair *pair)
{
	struct shmipc_listener_options options = listener_options(pair);
	struct pollfd poll_fd = { .events = POLLIN };
	struct shmipc_session *client, *server;
	struct shmipc_listener *listener;
	int silent[5], i, fds;

	options.handshakes = 3;
	listener = listener_open(pair, &options);
	fds = count_fds();
	for (i = 0; i < 5; i++)
		silent[i] = connect_bare(shmipc_listener_address(listener));
	assert_code(shmipc_listener_process(listener), 0);
	assert_int_equal(count_fds() - fds, 5 + 3);
	/* Those beyond wait, without keeping an event loop busy. */
	poll_fd.fd = shmipc_listener_fd(listener);
	assert_int_equal(poll(&poll_fd, 1, 50), 0);
	for (i = 0; i < 5; i++)
		close(silent[i]);
	listener_connect(pair, listener, &client, &server);
	shmipc_session_close(client);
	shmipc_session_close(server);
	shmipc_listener_close(listener);
}

static void a_crowd_that_says_nothing_makes_way(struct pair *pair)
{
	enum { SILENT = 30 };
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_session *client, *server;
	struct shmipc_listener *listener;
	int silent[SILENT], i, left = 0;
	int64_t began, took;

	options.handshakes = 3;
	options.handshake_ms = 2000;
	listener = listener_open(pair, &options);
	began = now_ns();
	for (i = 0; i < SILENT; i++)
		silent[i] = connect_bare(shmipc_listener_address(listener));
	/* Three make way every 200 ms: without that it would have to wait for ten times 2 s. */
	listener_connect(pair, listener, &client, &server);
	took = now_ns() - began;
	if (took < 1900000000 || took > 15000000000)
		fail_msg("it took %lld ms", (long long)took / 1000000);
	for (i = 0; i < SILENT; i++)
		left += !is_hung_up(silent[i]);
	assert_true(left <= 3);
	for (i = 0; i < SILENT; i++)
		close(silent[i]);
	shmipc_session_close(client);
	shmipc_session_close(server);
	shmipc_listener_close(listener);
}

static void sessions_that_nobody_accepts_count_too(struct pair *pair)
{
	enum { ALL = 5 };
	struct shmipc_listener_options options = listener_options(pair);
	struct connecting connecting[ALL];
	struct shmipc_listener *listener;
	struct shmipc_session *server;
	int i;

	options.handshakes = 2;
	listener = listener_open(pair, &options);
	for (i = 0; i < ALL; i++)
		connecting_start(&connecting[i], pair, shmipc_listener_address(listener));
	await(shmipc_listener_process(listener) == 2);
	sleep_ms(20);
	assert_code(shmipc_listener_process(listener), 2);
	for (i = 0; i < ALL; i++) {
		assert_code(shmipc_listener_accept(listener, &server, FAR), 0);
		shmipc_session_close(server);
	}
	for (i = 0; i < ALL; i++) {
		assert_code(worker_join(&connecting[i].worker), 0);
		shmipc_session_close(connecting[i].session);
	}
	shmipc_listener_close(listener);
}

static void a_client_that_asks_for_too_many_slots_is_told_so_and_others_are_served(struct pair *pair)
{
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_listener *listener;
	struct shmipc_session *client, *server;
	struct many many = { pair, NULL, &client, 1 };
	struct worker modest = { .call = connect_many, .argument = &many };
	struct connecting greedy;

	options.session.slots_max = client_options(pair).channel.slots / 2;
	listener = listener_open(pair, &options);
	many.address = shmipc_listener_address(listener);
	connecting_start(&greedy, pair, many.address);
	while (!greedy.worker.over) {
		assert_code(shmipc_listener_process(listener), 0);
		sleep_ms(1);
	}
	assert_code(worker_join(&greedy.worker), -E2BIG);
	assert_null(greedy.session);
	worker_start(&modest);
	assert_code(shmipc_listener_accept(listener, &server, FAR), 0);
	assert_code(worker_join(&modest), 1);
	echo_once(client, server);
	shmipc_session_close(client);
	shmipc_session_close(server);
	shmipc_listener_close(listener);
}

static void a_process_out_of_descriptors_waits_and_goes_on(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct pollfd poll_fd = { .fd = shmipc_listener_fd(listener), .events = POLLIN };
	struct shmipc_session *server;
	struct rlimit limit, low;
	struct connecting connecting;
	int fd, i, busy = 0;

	fd = connect_bare(shmipc_listener_address(listener));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	/* Below the limit there may be holes. */
	i = 0;
	while (dup(fd) >= 0)
		i++;
	assert_int_equal(i, 0);
	for (i = 0; i < 20; i++) {
		int64_t until = soon(5);

		while (now_ns() < until) {
			if (poll(&poll_fd, 1, 5) == 1)
				busy++;
			assert_code(shmipc_listener_process(listener), 0);
		}
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	/* In 100 ms it tried every 10 ms, each time with the timer and the socket. */
	assert_true(busy <= 50);
	connecting_start(&connecting, pair, shmipc_listener_address(listener));
	assert_code(shmipc_listener_accept(listener, &server, FAR), 0);
	assert_code(worker_join(&connecting.worker), 0);
	close(fd);
	shmipc_session_close(connecting.session);
	shmipc_session_close(server);
	shmipc_listener_close(listener);
}

static void a_client_that_dies_in_its_handshake_leaves_nothing(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	int fds = count_fds(), i, fd;

	for (i = 0; i < 40; i++) {
		fd = connect_bare(shmipc_listener_address(listener));
		say_a_little(fd, i % 4);
		if (i & 4)
			assert_code(shmipc_listener_process(listener), 0);
		close(fd);
		assert_code(shmipc_listener_process(listener), 0);
	}
	assert_int_equal(count_fds(), fds);
	shmipc_listener_close(listener);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_thousand_sessions_live_at_once),
		ON_BOTH(clients_that_say_nothing_delay_nobody),
		ON_MEMFD(clients_that_say_nothing_are_hung_up_on_in_time),
		ON_MEMFD(what_is_not_a_handshake_is_hung_up_on_at_once),
		ON_MEMFD(no_more_handshakes_at_a_time_than_allowed),
		ON_MEMFD(a_crowd_that_says_nothing_makes_way),
		ON_BOTH(sessions_that_nobody_accepts_count_too),
		ON_BOTH(a_client_that_asks_for_too_many_slots_is_told_so_and_others_are_served),
		ON_MEMFD(a_process_out_of_descriptors_waits_and_goes_on),
		ON_MEMFD(a_client_that_dies_in_its_handshake_leaves_nothing),
	};

	return RUN_TESTS(tests, argc, argv);
}
