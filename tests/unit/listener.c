// SPDX-License-Identifier: Apache-2.0
/*
 * listener.c - tests of accepting sessions: by threads, in an event loop, and the end
 *
 * Crowds, and clients that ask for too much, are listener_crowd.c's. Each test also checks that no descriptor and no
 * mapping is left.
 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "listener_pair.h"

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
		ON_BOTH(an_event_loop_hears_of_clients),
		ON_BOTH(several_threads_may_accept),
		ON_BOTH_FORKING(a_forked_child_has_no_part_in_it),
		ON_MEMFD(closing_nothing_does_nothing),
	};

	return RUN_TESTS(tests, argc, argv);
}
