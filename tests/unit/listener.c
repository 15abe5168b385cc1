// SPDX-License-Identifier: Apache-2.0
/*
 * listener.c - tests of accepting sessions: many, slow ones beside fast ones, too many, and the end
 *
 * Each test also checks that no descriptor and no mapping is left.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "listener_pair.h"
#include "wire/codec.h"

static void a_session_is_accepted_and_works(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *client, *server;

	listener_connect(pair, listener, &client, &server);
	assert_int_equal(shmipc_session_backend(client), pair->backend);
	assert_int_equal(shmipc_session_backend(server), pair->backend);
	echo_once(client, server);
	echo_once(server, client);
	shmipc_session_close(client);
	shmipc_session_close(server);
	shmipc_listener_close(listener);
}

static void sessions_live_on_when_the_listener_is_closed(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *client, *server;

	listener_connect(pair, listener, &client, &server);
	shmipc_listener_close(listener);
	echo_once(client, server);
	shmipc_session_close(server);
	shmipc_session_close(client);
}

static void sessions_that_nobody_accepts_end_with_the_listener(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct connecting connecting;

	connecting_start(&connecting, pair, shmipc_listener_address(listener));
	await(shmipc_listener_process(listener) == 1);
	assert_code(worker_join(&connecting.worker), 0);
	shmipc_listener_close(listener);
	assert_code(shmipc_session_accept(connecting.session, &(struct shmipc_stream *){ NULL }, FAR), -EPIPE);
	shmipc_session_close(connecting.session);
}

static void each_side_hears_who_the_other_is(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *sessions[2];
	struct shmipc_peer peer;
	int i;

	listener_connect(pair, listener, &sessions[0], &sessions[1]);
	for (i = 0; i < 2; i++) {
		memset(&peer, 0xa5, sizeof(peer));
		assert_code(shmipc_session_peer(sessions[i], &peer), 0);
		assert_int_equal(peer.pid, getpid());
		assert_int_equal(peer.uid, geteuid());
		assert_int_equal(peer.gid, getegid());
		shmipc_session_close(sessions[i]);
	}
	shmipc_listener_close(listener);
}

static void accept_without_a_client_says_eagain_or_etimedout(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *session = (void *)1;
	int64_t until;

	assert_code(shmipc_listener_accept(listener, &session, 0), -EAGAIN);
	assert_null(session);
	assert_code(shmipc_listener_accept(listener, &session, 1), -ETIMEDOUT);
	until = soon(30);
	assert_code(shmipc_listener_accept(listener, &session, until), -ETIMEDOUT);
	assert_true(now_ns() >= until);
	shmipc_listener_close(listener);
}

static int call_accept(struct worker *worker)
{
	struct shmipc_session *session = (void *)1;
	int r = shmipc_listener_accept(worker->argument, &session, FAR);

	if (r)
		assert_null(session);
	else
		shmipc_session_close(session);
	return r;
}

static void shutdown_wakes_all_that_wait(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct worker workers[3];
	char path[108];
	int i;

	strcpy(path, shmipc_listener_address(listener));
	for (i = 0; i < 3; i++) {
		workers[i] = (struct worker){ .call = call_accept, .argument = listener };
		worker_start(&workers[i]);
	}
	for (i = 0; i < 3; i++)
		worker_await_sleep(&workers[i]);
	assert_code(shmipc_listener_shutdown(listener), 0);
	for (i = 0; i < 3; i++)
		assert_code(worker_join(&workers[i]), -ESHUTDOWN);
	assert_code(shmipc_listener_shutdown(listener), 0);
	assert_code(shmipc_listener_process(listener), -ESHUTDOWN);
	assert_code(shmipc_listener_socket(listener), -ESHUTDOWN);
	/* Nobody is left standing in a backlog. */
	assert_code(shmipc_session_connect(path, NULL, FAR, &(struct shmipc_session *){ NULL }), -ECONNREFUSED);
	shmipc_listener_close(listener);
}

static void what_was_made_before_shutdown_can_be_accepted_after(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct connecting connecting;
	struct shmipc_session *server;

	connecting_start(&connecting, pair, shmipc_listener_address(listener));
	await(shmipc_listener_process(listener) == 1);
	assert_code(worker_join(&connecting.worker), 0);
	assert_code(shmipc_listener_shutdown(listener), 0);
	assert_code(shmipc_listener_process(listener), 1);
	assert_code(shmipc_listener_accept(listener, &server, 0), 0);
	echo_once(connecting.session, server);
	assert_code(shmipc_listener_accept(listener, &(struct shmipc_session *){ NULL }, 0), -ESHUTDOWN);
	shmipc_session_close(connecting.session);
	shmipc_session_close(server);
	shmipc_listener_close(listener);
}

static void a_socket_that_is_shut_down_from_outside_is_eshutdown(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct worker worker = { .call = call_accept, .argument = listener };

	worker_start(&worker);
	worker_await_sleep(&worker);
	shutdown(shmipc_listener_socket(listener), SHUT_RDWR);
	assert_code(worker_join(&worker), -ESHUTDOWN);
	shmipc_listener_close(listener);
}

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

struct many {
	struct pair *pair;
	const char *address;
	struct shmipc_session **sessions;
	int count;
};

static int connect_many(struct worker *worker)
{
	struct many *many = worker->argument;
	struct shmipc_session_options options = client_options(many->pair);
	int i, r;

	options.channel.slots = 16;
	options.channel.slices = 64;
	options.channel.segment_bytes = 4096;
	for (i = 0; i < many->count; i++) {
		r = shmipc_session_connect(many->address, &options, FAR, &many->sessions[i]);
		if (r)
			return r;
	}
	return i;
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

/* Read until the end of file: how long it took to come. */
static bool is_hung_up(int fd)
{
	char bytes[64];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
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

static void an_event_loop_hears_of_clients(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct epoll_event event = { .events = EPOLLIN };
	struct shmipc_session *server = NULL;
	struct connecting connecting;
	int loop = epoll_create1(EPOLL_CLOEXEC), n;

	assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, shmipc_listener_fd(listener), &event), 0);
	assert_int_equal(epoll_wait(loop, &event, 1, 0), 0);
	connecting_start(&connecting, pair, shmipc_listener_address(listener));
	while (!server) {
		assert_int_equal(epoll_wait(loop, &event, 1, 20000), 1);
		n = shmipc_listener_process(listener);
		assert_true(n == 0 || n == 1);
		if (n) {
			/* It stays so until the session is taken. */
			assert_int_equal(epoll_wait(loop, &event, 1, 0), 1);
			assert_code(shmipc_listener_accept(listener, &server, 0), 0);
		}
	}
	assert_int_equal(epoll_wait(loop, &event, 1, 0), 0);
	assert_code(worker_join(&connecting.worker), 0);
	shmipc_listener_shutdown(listener);
	assert_int_equal(epoll_wait(loop, &event, 1, 0), 1);
	close(loop);
	shmipc_session_close(connecting.session);
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

static void several_threads_may_accept(struct pair *pair)
{
	enum { THREADS = 3, ALL = 12 };
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *sessions[ALL];
	struct worker workers[ALL], connecting;
	struct many many = { pair, shmipc_listener_address(listener), sessions, ALL };
	int i, j;

	connecting = (struct worker){ .call = connect_many, .argument = &many };
	worker_start(&connecting);
	for (i = 0; i < ALL; i += THREADS) {
		for (j = 0; j < THREADS; j++) {
			workers[j] = (struct worker){ .call = call_accept, .argument = listener };
			worker_start(&workers[j]);
		}
		for (j = 0; j < THREADS; j++)
			assert_code(worker_join(&workers[j]), 0);
	}
	assert_code(worker_join(&connecting), ALL);
	for (i = 0; i < ALL; i++)
		shmipc_session_close(sessions[i]);
	shmipc_listener_close(listener);
}

static int use_and_close_copy(void *argument)
{
	struct shmipc_listener *listener = argument;
	struct shmipc_session *session;

	child_check(shmipc_listener_accept(listener, &session, 0) == -EPERM);
	child_check(shmipc_listener_process(listener) == -EPERM);
	child_check(shmipc_listener_shutdown(listener) == -EPERM);
	child_check(shmipc_listener_restart(listener, 1, 0) == -EPERM);
	shmipc_listener_close(listener);
	return 0;
}

static void a_forked_child_has_no_part_in_it(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct connecting connecting;
	struct shmipc_session *server;
	int silent = connect_bare(shmipc_listener_address(listener));

	connecting_start(&connecting, pair, shmipc_listener_address(listener));
	await(shmipc_listener_process(listener) == 1);
	assert_code(worker_join(&connecting.worker), 0);
	assert_int_equal(run_forked(use_and_close_copy, listener), 0);
	assert_int_equal(access(shmipc_listener_address(listener), F_OK), 0);
	assert_false(is_hung_up(silent));
	assert_code(shmipc_listener_accept(listener, &server, 0), 0);
	echo_once(connecting.session, server);
	close(silent);
	shmipc_session_close(connecting.session);
	shmipc_session_close(server);
	shmipc_listener_close(listener);
}

static void closing_nothing_does_nothing(struct pair *pair)
{
	(void)pair;
	shmipc_listener_close(NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_session_is_accepted_and_works),
		ON_BOTH(sessions_live_on_when_the_listener_is_closed),
		ON_BOTH(sessions_that_nobody_accepts_end_with_the_listener),
		ON_BOTH(each_side_hears_who_the_other_is),
		ON_MEMFD(accept_without_a_client_says_eagain_or_etimedout),
		ON_MEMFD(shutdown_wakes_all_that_wait),
		ON_BOTH(what_was_made_before_shutdown_can_be_accepted_after),
		ON_MEMFD(a_socket_that_is_shut_down_from_outside_is_eshutdown),
		ON_BOTH(a_thousand_sessions_live_at_once),
		ON_BOTH(clients_that_say_nothing_delay_nobody),
		ON_MEMFD(clients_that_say_nothing_are_hung_up_on_in_time),
		ON_MEMFD(what_is_not_a_handshake_is_hung_up_on_at_once),
		ON_MEMFD(no_more_handshakes_at_a_time_than_allowed),
		ON_MEMFD(a_crowd_that_says_nothing_makes_way),
		ON_BOTH(sessions_that_nobody_accepts_count_too),
		ON_BOTH(an_event_loop_hears_of_clients),
		ON_MEMFD(a_process_out_of_descriptors_waits_and_goes_on),
		ON_MEMFD(a_client_that_dies_in_its_handshake_leaves_nothing),
		ON_BOTH(several_threads_may_accept),
		ON_BOTH_FORKING(a_forked_child_has_no_part_in_it),
		ON_MEMFD(closing_nothing_does_nothing),
	};

	return RUN_TESTS(tests, argc, argv);
}
