// SPDX-License-Identifier: Apache-2.0
/*
 * listener_restart.c - tests of hot restart as the old process sees it, with clients that answer, fail, or say nothing
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listener_pair.h"
#include "session/internal.h"
#include "wire/handshake.h"

#define EPOCH 0x0102030405060708ull

static struct shmipc_restart_progress progress_of(struct shmipc_listener *listener)
{
	struct shmipc_restart_progress progress;

	memset(&progress, 0xa5, sizeof(progress));
	assert_code(shmipc_listener_restart_progress(listener, &progress), 0);
	return progress;
}

static void expect(struct shmipc_listener *listener, enum shmipc_restart state, uint32_t asked, uint32_t renewed,
		   uint32_t gone, uint32_t failed)
{
	struct shmipc_restart_progress p = progress_of(listener);

	if (p.state != state || p.asked != asked || p.renewed != renewed || p.gone != gone || p.failed != failed)
		fail_msg("state %d: %u asked, %u renewed, %u gone, %u failed", p.state, p.asked, p.renewed, p.gone,
			 p.failed);
}

static void hear_restart(struct shmipc_session *session, uint64_t epoch, void *arg)
{
	(void)session;
	*(uint64_t *)arg = epoch;
}

/* The client hears of it. */
static void await_restart(struct shmipc_session *client, uint64_t expected)
{
	static const struct shmipc_session_callbacks callbacks = { .on_restart = hear_restart };
	uint64_t epoch = 0;

	assert_code(shmipc_session_set_callbacks(client, &callbacks, &epoch), 0);
	await(shmipc_session_process(client) >= 0 && epoch);
	assert_true(epoch == expected);
	assert_code(shmipc_session_set_callbacks(client, NULL, NULL), 0);
}

/* The client answers, and the server's application, which drives its session, comes by. */
static void answer(struct shmipc_session *client, struct shmipc_session *server, uint64_t epoch, int status)
{
	outbox_control(client, MSG_RESTART_ANSWER, epoch, status);
	sleep_ms(1);
	assert_true(shmipc_session_process(server) >= 0);
}

enum { CLIENTS = 3 };

static void connect_all(struct pair *pair, struct shmipc_listener *listener, struct shmipc_session *clients[CLIENTS],
			struct shmipc_session *servers[CLIENTS])
{
	int i;

	for (i = 0; i < CLIENTS; i++)
		listener_connect(pair, listener, &clients[i], &servers[i]);
}

static void close_all(struct shmipc_session *clients[CLIENTS], struct shmipc_session *servers[CLIENTS])
{
	int i;

	for (i = 0; i < CLIENTS; i++) {
		shmipc_session_close(clients[i]);
		shmipc_session_close(servers[i]);
	}
}

static void before_one_was_asked_for_there_is_none(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);

	expect(listener, SHMIPC_RESTART_NONE, 0, 0, 0, 0);
	shmipc_listener_close(listener);
}

static void without_clients_it_is_done_at_once(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);

	assert_code(shmipc_listener_restart(listener, EPOCH, FAR), 0);
	expect(listener, SHMIPC_RESTART_DONE, 0, 0, 0, 0);
	assert_true(progress_of(listener).epoch == EPOCH);
	shmipc_listener_close(listener);
}

static void it_is_done_when_all_have_answered(struct pair *pair)
{
	struct shmipc_session *clients[CLIENTS], *servers[CLIENTS];
	struct shmipc_listener *listener = listener_open(pair, NULL);
	int i;

	connect_all(pair, listener, clients, servers);
	assert_code(shmipc_listener_restart(listener, EPOCH, FAR), 0);
	for (i = 0; i < CLIENTS; i++) {
		expect(listener, SHMIPC_RESTART_ACTIVE, CLIENTS, (uint32_t)i, 0, 0);
		await_restart(clients[i], EPOCH);
		answer(clients[i], servers[i], EPOCH, 0);
	}
	expect(listener, SHMIPC_RESTART_DONE, CLIENTS, CLIENTS, 0, 0);
	/* The old sessions go on until they are closed. */
	echo_once(clients[0], servers[0]);
	close_all(clients, servers);
	expect(listener, SHMIPC_RESTART_DONE, CLIENTS, CLIENTS, 0, 0);
	shmipc_listener_close(listener);
}

static void a_second_one_meanwhile_is_ealready(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *client, *server;

	listener_connect(pair, listener, &client, &server);
	assert_code(shmipc_listener_restart(listener, EPOCH, FAR), 0);
	assert_code(shmipc_listener_restart(listener, EPOCH + 1, FAR), -EALREADY);
	assert_true(progress_of(listener).epoch == EPOCH);
	shmipc_session_close(client);
	shmipc_session_close(server);
	shmipc_listener_close(listener);
}

static void clients_that_go_are_counted_as_gone(struct pair *pair)
{
	struct shmipc_session *clients[CLIENTS], *servers[CLIENTS];
	struct shmipc_listener *listener = listener_open(pair, NULL);

	connect_all(pair, listener, clients, servers);
	assert_code(shmipc_listener_restart(listener, EPOCH, FAR), 0);
	shmipc_session_close(clients[0]);
	assert_code(shmipc_session_accept(servers[0], &(struct shmipc_stream *){ NULL }, FAR), -EPIPE);
	expect(listener, SHMIPC_RESTART_ACTIVE, CLIENTS, 0, 1, 0);
	/* Whichever side ended it. */
	shmipc_session_close(servers[1]);
	expect(listener, SHMIPC_RESTART_ACTIVE, CLIENTS, 0, 2, 0);
	answer(clients[2], servers[2], EPOCH, 0);
	expect(listener, SHMIPC_RESTART_DONE, CLIENTS, 1, 2, 0);
	shmipc_session_close(servers[0]);
	shmipc_session_close(clients[1]);
	shmipc_session_close(clients[2]);
	shmipc_session_close(servers[2]);
	shmipc_listener_close(listener);
}

static void one_that_fails_fails_it_once_all_have_answered(struct pair *pair)
{
	struct shmipc_session *clients[CLIENTS], *servers[CLIENTS];
	struct shmipc_listener *listener = listener_open(pair, NULL);

	connect_all(pair, listener, clients, servers);
	assert_code(shmipc_listener_restart(listener, EPOCH, FAR), 0);
	answer(clients[0], servers[0], EPOCH, -ECONNREFUSED);
	expect(listener, SHMIPC_RESTART_ACTIVE, CLIENTS, 0, 0, 1);
	answer(clients[1], servers[1], EPOCH, 0);
	answer(clients[2], servers[2], EPOCH, 0);
	expect(listener, SHMIPC_RESTART_FAILED, CLIENTS, 2, 0, 1);
	/* Its session goes on here. */
	echo_once(clients[0], servers[0]);
	close_all(clients, servers);
	shmipc_listener_close(listener);
}

static void one_that_does_not_answer_fails_it_at_the_deadline(struct pair *pair)
{
	struct shmipc_session *clients[CLIENTS], *servers[CLIENTS];
	struct shmipc_listener *listener = listener_open(pair, NULL);
	int64_t deadline;

	connect_all(pair, listener, clients, servers);
	deadline = soon(150);
	assert_code(shmipc_listener_restart(listener, EPOCH, deadline), 0);
	answer(clients[0], servers[0], EPOCH, 0);
	if (now_ns() < deadline - 20000000)
		expect(listener, SHMIPC_RESTART_ACTIVE, CLIENTS, 1, 0, 0);
	while (now_ns() < deadline)
		sleep_ms(1);
	expect(listener, SHMIPC_RESTART_FAILED, CLIENTS, 1, 0, 2);
	/* An answer that is late changes nothing. */
	answer(clients[1], servers[1], EPOCH, 0);
	expect(listener, SHMIPC_RESTART_FAILED, CLIENTS, 1, 0, 2);
	close_all(clients, servers);
	expect(listener, SHMIPC_RESTART_FAILED, CLIENTS, 1, 0, 2);
	shmipc_listener_close(listener);
}

static void another_try_asks_those_that_have_not_moved(struct pair *pair)
{
	struct shmipc_session *clients[CLIENTS], *servers[CLIENTS];
	struct shmipc_listener *listener = listener_open(pair, NULL);

	connect_all(pair, listener, clients, servers);
	assert_code(shmipc_listener_restart(listener, EPOCH, FAR), 0);
	await_restart(clients[1], EPOCH);
	answer(clients[0], servers[0], EPOCH, 0);
	answer(clients[1], servers[1], EPOCH, -EIO);
	answer(clients[2], servers[2], EPOCH, -EIO);
	expect(listener, SHMIPC_RESTART_FAILED, CLIENTS, 1, 0, 2);
	assert_code(shmipc_listener_restart(listener, EPOCH + 1, FAR), 0);
	expect(listener, SHMIPC_RESTART_ACTIVE, 2, 0, 0, 0);
	await_restart(clients[1], EPOCH + 1);
	/* An answer to the first one is none to the second. */
	answer(clients[1], servers[1], EPOCH, 0);
	expect(listener, SHMIPC_RESTART_ACTIVE, 2, 0, 0, 0);
	answer(clients[1], servers[1], EPOCH + 1, 0);
	answer(clients[2], servers[2], EPOCH + 1, 0);
	expect(listener, SHMIPC_RESTART_DONE, 2, 2, 0, 0);
	close_all(clients, servers);
	shmipc_listener_close(listener);
}

static void answers_that_nobody_asked_for_change_nothing(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *client, *server;

	listener_connect(pair, listener, &client, &server);
	answer(client, server, 0, 0);
	answer(client, server, EPOCH, -EIO);
	expect(listener, SHMIPC_RESTART_NONE, 0, 0, 0, 0);
	assert_code(shmipc_listener_restart(listener, EPOCH, FAR), 0);
	expect(listener, SHMIPC_RESTART_ACTIVE, 1, 0, 0, 0);
	answer(client, server, EPOCH, 0);
	answer(client, server, EPOCH, 0);
	answer(client, server, EPOCH, -EIO);
	expect(listener, SHMIPC_RESTART_DONE, 1, 1, 0, 0);
	shmipc_session_close(client);
	shmipc_session_close(server);
	shmipc_listener_close(listener);
}

static void meanwhile_connections_are_left_to_the_new_process(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL), *successor;
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_session *client, *server, *renewed;
	struct connecting connecting;
	char path[108];

	strcpy(path, shmipc_listener_address(listener));
	listener_connect(pair, listener, &client, &server);
	assert_code(shmipc_listener_create_fd(dup(shmipc_listener_socket(listener)), &options, &successor), 0);
	assert_code(shmipc_listener_restart(listener, EPOCH, FAR), 0);
	connecting_start(&connecting, pair, path);
	sleep_ms(20);
	assert_code(shmipc_listener_accept(listener, &renewed, 0), -EAGAIN);
	assert_code(shmipc_listener_accept(successor, &renewed, FAR), 0);
	assert_code(worker_join(&connecting.worker), 0);
	answer(client, server, EPOCH, 0);
	expect(listener, SHMIPC_RESTART_DONE, 1, 1, 0, 0);
	echo_once(connecting.session, renewed);
	shmipc_session_close(connecting.session);
	shmipc_session_close(renewed);
	shmipc_session_close(client);
	shmipc_session_close(server);
	/* Done: the path is the new one's, to which clients still come. */
	shmipc_listener_close(listener);
	listener_connect(pair, successor, &client, &server);
	shmipc_session_close(client);
	shmipc_session_close(server);
	shmipc_listener_close(successor);
}

static void a_failed_one_listens_on_and_removes_its_path(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *client, *server, *next[2];
	struct connecting connecting;
	char path[108];

	strcpy(path, shmipc_listener_address(listener));
	listener_connect(pair, listener, &client, &server);
	assert_code(shmipc_listener_restart(listener, EPOCH, soon(30)), 0);
	connecting_start(&connecting, pair, path);
	/* accept alone sees the deadline pass: nobody asks how it goes. */
	assert_code(shmipc_listener_accept(listener, &next[0], FAR), 0);
	assert_code(worker_join(&connecting.worker), 0);
	expect(listener, SHMIPC_RESTART_FAILED, 1, 0, 0, 1);
	shmipc_session_close(connecting.session);
	shmipc_session_close(next[0]);
	shmipc_session_close(client);
	shmipc_session_close(server);
	shmipc_listener_close(listener);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_handshake_that_ends_meanwhile_is_asked_too(struct pair *pair)
{
	static const unsigned char exchange[] = { 0, 0, 0, 8, 0x77, 0x58, 3, 4 };
	struct shmipc_listener *listener = listener_open(pair, NULL);
	int silent = connect_bare(shmipc_listener_address(listener));
	int slow = connect_bare(shmipc_listener_address(listener));
	struct shmipc_session_options options = client_options(pair);
	struct shmipc_session *client, *server;
	struct shmipc_channel *channel;
	struct session_limits limits;
	struct handshake handshake;

	/* One that comes to nothing, and one that does. */
	assert_int_equal(send(silent, exchange, 8, 0), 8);
	assert_code(handshake_init(&handshake, slow, false, &options, FAR), 0);
	assert_code(handshake_step(&handshake), -EAGAIN);
	assert_code(shmipc_listener_process(listener), 0);
	assert_code(shmipc_listener_restart(listener, EPOCH, FAR), 0);
	expect(listener, SHMIPC_RESTART_ACTIVE, 0, 0, 0, 0);
	while (handshake_step(&handshake))
		assert_true(shmipc_listener_process(listener) >= 0);
	handshake_take(&handshake, &channel, &limits);
	handshake_fini(&handshake);
	assert_code(session_start(channel, slow, false, &options, &limits, &client), 0);
	assert_code(shmipc_listener_accept(listener, &server, 0), 0);
	expect(listener, SHMIPC_RESTART_ACTIVE, 1, 0, 0, 0);
	await_restart(client, EPOCH);
	answer(client, server, EPOCH, 0);
	expect(listener, SHMIPC_RESTART_ACTIVE, 1, 1, 0, 0);
	close(silent);
	expect(listener, SHMIPC_RESTART_DONE, 1, 1, 0, 0);
	shmipc_session_close(client);
	shmipc_session_close(server);
	shmipc_listener_close(listener);
}

static void a_new_process_may_bind_the_path_after_shutdown(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL), *successor;
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_session *client, *server, *renewed[2];
	char path[108];

	strcpy(path, shmipc_listener_address(listener));
	listener_connect(pair, listener, &client, &server);
	assert_code(shmipc_listener_shutdown(listener), 0);
	assert_code(shmipc_listener_create(path, &options, &successor), 0);
	assert_code(shmipc_listener_restart(listener, EPOCH, FAR), 0);
	await_restart(client, EPOCH);
	listener_connect(pair, successor, &renewed[0], &renewed[1]);
	answer(client, server, EPOCH, 0);
	expect(listener, SHMIPC_RESTART_DONE, 1, 1, 0, 0);
	shmipc_listener_close(listener);
	assert_int_equal(access(path, F_OK), 0);
	shmipc_session_close(renewed[0]);
	shmipc_session_close(renewed[1]);
	shmipc_session_close(client);
	shmipc_session_close(server);
	shmipc_listener_close(successor);
}

static void sessions_may_end_while_it_is_closed(struct pair *pair)
{
	struct shmipc_session *clients[CLIENTS], *servers[CLIENTS];
	struct shmipc_listener *listener;
	int round;

	for (round = 0; round < 20; round++) {
		listener = listener_open(pair, NULL);
		connect_all(pair, listener, clients, servers);
		assert_code(shmipc_listener_restart(listener, EPOCH, FAR), 0);
		shmipc_session_shutdown(servers[round % CLIENTS]);
		shmipc_listener_close(listener);
		/* The hooks are gone: what comes now finds nobody. */
		outbox_control(clients[(round + 1) % CLIENTS], MSG_RESTART_ANSWER, EPOCH, 0);
		shmipc_session_process(servers[(round + 1) % CLIENTS]);
		close_all(clients, servers);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_MEMFD(before_one_was_asked_for_there_is_none),
		ON_MEMFD(without_clients_it_is_done_at_once),
		ON_BOTH(it_is_done_when_all_have_answered),
		ON_MEMFD(a_second_one_meanwhile_is_ealready),
		ON_BOTH(clients_that_go_are_counted_as_gone),
		ON_BOTH(one_that_fails_fails_it_once_all_have_answered),
		ON_BOTH(one_that_does_not_answer_fails_it_at_the_deadline),
		ON_BOTH(another_try_asks_those_that_have_not_moved),
		ON_MEMFD(answers_that_nobody_asked_for_change_nothing),
		ON_BOTH(meanwhile_connections_are_left_to_the_new_process),
		ON_BOTH(a_failed_one_listens_on_and_removes_its_path),
		ON_BOTH(a_handshake_that_ends_meanwhile_is_asked_too),
		ON_BOTH(a_new_process_may_bind_the_path_after_shutdown),
		ON_MEMFD(sessions_may_end_while_it_is_closed),
	};

	return RUN_TESTS(tests, argc, argv);
}
