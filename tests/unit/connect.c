// SPDX-License-Identifier: Apache-2.0
/*
 * connect.c - tests of connecting: deadlines, sockets handed in, other users, and who does not answer
 *
 * Each test also checks that no descriptor and no mapping is left.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "listener_pair.h"
#include "session/internal.h"
#include "wire/address.h"

static int try_connect(struct pair *pair, const char *address, int64_t deadline)
{
	struct shmipc_session_options options = client_options(pair);
	struct shmipc_session *session = (void *)1;
	int r = shmipc_session_connect(address, &options, deadline, &session);

	if (r)
		assert_null(session);
	else
		shmipc_session_close(session);
	return r;
}

/* A socket that listens, and where nobody accepts. */
static int listen_bare(char path[108], const char *name, int backlog)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct address address;

	path_in(path, folder_make(), name);
	unlink(path);
	assert_code(address_parse(path, &address), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address.name, address.size), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void where_nobody_listens_is_enoent_or_econnrefused(struct pair *pair)
{
	char path[108];

	close(listen_bare(path, "gone", 1));
	assert_code(try_connect(pair, path, FAR), -ECONNREFUSED);
	unlink(path);
	assert_code(try_connect(pair, path, FAR), -ENOENT);
	assert_code(try_connect(pair, "@shmipc-test-nobody", FAR), -ECONNREFUSED);
}

static void what_is_no_address_is_einval(struct pair *pair)
{
	char text[200];

	memset(text, 'x', sizeof(text));
	text[199] = '\0';
	assert_code(try_connect(pair, text, FAR), -EINVAL);
	assert_code(try_connect(pair, "", FAR), -EINVAL);
	assert_code(try_connect(pair, NULL, FAR), -EINVAL);
	assert_code(try_connect(pair, "@", FAR), -EINVAL);
}

static void options_are_checked_first(struct pair *pair)
{
	struct shmipc_session_options options = client_options(pair);
	struct shmipc_session *session = (void *)1;
	int sockets[2];

	options.window = 1;
	assert_code(shmipc_session_connect("/nowhere", &options, FAR, &session), -EINVAL);
	assert_null(session);
	/* A socket that was handed in is closed all the same. */
	pair_sockets(sockets);
	session = (void *)1;
	assert_code(shmipc_session_connect_fd(sockets[0], &options, FAR, &session), -EINVAL);
	assert_null(session);
	assert_int_equal(fcntl(sockets[0], F_GETFD), -1);
	session = (void *)1;
	assert_code(shmipc_session_accept_fd(sockets[1], &options, FAR, &session), -EINVAL);
	assert_null(session);
	assert_int_equal(fcntl(sockets[1], F_GETFD), -1);
}

static void a_full_backlog_is_waited_for_until_the_deadline(struct pair *pair)
{
	char path[108];
	int fd = listen_bare(path, "full", 0), first = connect_bare(path);
	int64_t deadline = soon(100);

	assert_code(try_connect(pair, path, deadline), -ETIMEDOUT);
	assert_true(now_ns() >= deadline);
	assert_code(try_connect(pair, path, 0), -ETIMEDOUT);
	close(first);
	close(fd);
}

static void room_in_the_backlog_is_used_when_it_comes(struct pair *pair)
{
	struct shmipc_session_options options = client_options(pair);
	struct connecting connecting;
	struct shmipc_session *server;
	char path[108];
	int fd = listen_bare(path, "full", 0), first = connect_bare(path);

	connecting_start(&connecting, pair, path);
	worker_await_sleep(&connecting.worker);
	close(accept(fd, NULL, NULL));
	assert_code(shmipc_session_accept_fd(accept(fd, NULL, NULL), &options, FAR, &server), 0);
	assert_code(worker_join(&connecting.worker), 0);
	echo_once(connecting.session, server);
	shmipc_session_close(connecting.session);
	shmipc_session_close(server);
	close(first);
	close(fd);
}

static void a_server_that_says_nothing_is_waited_for_until_the_deadline(struct pair *pair)
{
	char path[108];
	int fd = listen_bare(path, "silent", 4);
	int64_t deadline = soon(60);

	assert_code(try_connect(pair, path, deadline), -ETIMEDOUT);
	assert_true(now_ns() >= deadline);
	assert_code(try_connect(pair, path, 0), -ETIMEDOUT);
	assert_code(try_connect(pair, path, 1), -ETIMEDOUT);
	close(fd);
}

static void ignore_signal(int signal)
{
	(void)signal;
}

static void signals_do_not_end_it(struct pair *pair)
{
	struct sigaction action = { .sa_handler = ignore_signal }, old;
	struct connecting connecting;
	struct shmipc_session_options options = client_options(pair);
	struct shmipc_session *server;
	char path[108];
	int fd, first, i;

	sigaction(SIGUSR1, &action, &old);
	fd = listen_bare(path, "signals", 0);
	first = connect_bare(path);
	connecting_start(&connecting, pair, path);
	worker_await_sleep(&connecting.worker); /* in connect(2) */
	for (i = 0; i < 3; i++) {
		worker_signal(&connecting.worker, SIGUSR1);
		worker_await_sleep(&connecting.worker);
	}
	close(accept(fd, NULL, NULL));
	worker_await_sleep(&connecting.worker); /* in the handshake */
	for (i = 0; i < 3; i++) {
		worker_signal(&connecting.worker, SIGUSR1);
		worker_await_sleep(&connecting.worker);
	}
	assert_code(shmipc_session_accept_fd(accept(fd, NULL, NULL), &options, FAR, &server), 0);
	assert_code(worker_join(&connecting.worker), 0);
	shmipc_session_close(connecting.session);
	shmipc_session_close(server);
	close(first);
	close(fd);
	sigaction(SIGUSR1, &old, NULL);
}

/* Answer what a client says first, as a server of the older protocol does. */
static void a_server_of_the_older_protocol_is_eprotonosupport(struct pair *pair)
{
	static const unsigned char exchange[] = { 0, 0, 0, 8, 0x77, 0x58, 3, 4 };
	struct connecting connecting;
	unsigned char bytes[64];
	char path[108];
	int fd = listen_bare(path, "older", 4), client;

	connecting_start(&connecting, pair, path);
	client = accept(fd, NULL, NULL);
	assert_int_equal(recv(client, bytes, 8, MSG_WAITALL), 8);
	assert_memory_equal(bytes, exchange, 8);
	assert_int_equal(send(client, exchange, 8, MSG_NOSIGNAL), 8);
	assert_code(worker_join(&connecting.worker), -EPROTONOSUPPORT);
	/* And hangs up. */
	assert_int_equal(recv(client, bytes, 8, 0), 0);
	close(client);
	close(fd);
}

static int call_connect_fd(struct worker *worker)
{
	struct connecting *c = worker->argument;

	return shmipc_session_connect_fd((int)(intptr_t)c->address, &c->options, FAR, &c->session);
}

static void sockets_handed_in_will_do(struct pair *pair)
{
	struct shmipc_session_options options = client_options(pair);
	struct connecting c = { .options = options };
	struct shmipc_session *server;
	int sockets[2];

	pair_sockets(sockets);
	fcntl(sockets[0], F_SETFD, 0);
	c.address = (void *)(intptr_t)sockets[0];
	c.worker = (struct worker){ .call = call_connect_fd, .argument = &c };
	worker_start(&c.worker);
	assert_code(shmipc_session_accept_fd(sockets[1], &options, FAR, &server), 0);
	assert_code(worker_join(&c.worker), 0);
	assert_true(fcntl(sockets[0], F_GETFD) & FD_CLOEXEC);
	assert_string_equal(c.session->record->address, "");
	echo_once(c.session, server);
	shmipc_session_close(c.session);
	shmipc_session_close(server);
	assert_int_equal(fcntl(sockets[0], F_GETFD), -1);
	assert_int_equal(fcntl(sockets[1], F_GETFD), -1);
}

static void other_descriptors_are_einval_and_closed(struct pair *pair)
{
	struct shmipc_session_options options = client_options(pair);
	struct shmipc_session *session;
	int i, fds[2];

	for (i = 0; i < 2; i++) {
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		session = (void *)1;
		if (i)
			assert_code(shmipc_session_connect_fd(fds[0], &options, FAR, &session), -EINVAL);
		else
			assert_code(shmipc_session_accept_fd(fds[0], &options, FAR, &session), -EINVAL);
		assert_null(session);
		assert_int_equal(fcntl(fds[0], F_GETFD), -1);
		close(fds[1]);
	}
	assert_code(shmipc_session_connect_fd(-1, &options, FAR, &session), -EINVAL);
}

static void both_sides_know_the_address(struct pair *pair)
{
	struct shmipc_listener *listener = listener_open(pair, NULL);
	struct shmipc_session *client, *server;

	listener_connect(pair, listener, &client, &server);
	assert_string_equal(client->record->address, shmipc_listener_address(listener));
	assert_string_equal(server->record->address, shmipc_listener_address(listener));
	shmipc_session_close(client);
	shmipc_session_close(server);
	shmipc_listener_close(listener);
}

static void a_server_may_insist_on_a_backend(struct pair *pair)
{
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_listener *listener;
	struct connecting connecting;
	struct shmipc_session *server;

	options.session.channel.backend = SHMIPC_BACKEND_MEMFD;
	listener = listener_open(pair, &options);
	connecting_start(&connecting, &(struct pair){ .backend = SHMIPC_BACKEND_AUTO },
			 shmipc_listener_address(listener));
	assert_code(shmipc_listener_accept(listener, &server, FAR), 0);
	assert_code(worker_join(&connecting.worker), 0);
	assert_int_equal(shmipc_session_backend(connecting.session), SHMIPC_BACKEND_MEMFD);
	assert_int_equal(shmipc_session_backend(server), SHMIPC_BACKEND_MEMFD);
	shmipc_session_close(connecting.session);
	shmipc_session_close(server);
	/* A client that insists on another one is told so. */
	connecting_start(&connecting, &(struct pair){ .backend = SHMIPC_BACKEND_KMOD },
			 shmipc_listener_address(listener));
	while (!connecting.worker.over) {
		assert_code(shmipc_listener_process(listener), 0);
		sleep_ms(1);
	}
	assert_code(worker_join(&connecting.worker), -EOPNOTSUPP);
	shmipc_listener_close(listener);
}

/* A client in another process, as another user; it lives until its session ends. */
static pid_t fork_client(struct pair *pair, const char *address, uid_t uid, int expected)
{
	struct shmipc_session_options options = client_options(pair);
	struct shmipc_session *session;
	struct shmipc_peer peer;
	pid_t parent = getpid(), pid = fork();
	int r;

	assert_true(pid >= 0);
	if (pid)
		return pid;
	alarm(60);
	if (uid && (setgid(uid) || setuid(uid)))
		_exit(10);
	r = shmipc_session_connect(address, &options, FAR, &session);
	if (r || expected)
		_exit(r == expected ? 0 : 11);
	if (shmipc_session_peer(session, &peer) || peer.pid != parent)
		_exit(12);
	shmipc_session_accept(session, &(struct shmipc_stream *){ NULL }, FAR);
	shmipc_session_close(session);
	_exit(0);
}

static void expect_exit(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void the_server_hears_which_process_and_user_it_is(struct pair *pair)
{
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_listener *listener;
	struct shmipc_session *server;
	struct shmipc_peer peer;
	pid_t pid;
	uid_t uid;

	if (geteuid())
		skip_because("only root can become somebody else");
	options.mode = 0666;
	listener = listener_open(pair, &options);
	assert_int_equal(chmod(folder_make(), 0755), 0);
	for (uid = 0; uid <= 65534; uid += 65534) {
		/* The device is root's alone. */
		if (uid && pair->backend == SHMIPC_BACKEND_KMOD)
			break;
		pid = fork_client(pair, shmipc_listener_address(listener), uid, 0);
		assert_code(shmipc_listener_accept(listener, &server, FAR), 0);
		memset(&peer, 0xa5, sizeof(peer));
		assert_code(shmipc_session_peer(server, &peer), 0);
		assert_int_equal(peer.pid, pid);
		assert_int_equal(peer.uid, uid);
		assert_int_equal(peer.gid, uid);
		shmipc_session_close(server);
		expect_exit(pid);
	}
	shmipc_listener_close(listener);
}

static void another_user_is_eacces_unless_the_path_allows_it(struct pair *pair)
{
	struct shmipc_listener *listener;

	if (geteuid())
		skip_because("only root can become somebody else");
	listener = listener_open(pair, NULL);
	assert_int_equal(chmod(folder_make(), 0755), 0);
	expect_exit(fork_client(pair, shmipc_listener_address(listener), 65534, -EACCES));
	shmipc_listener_close(listener);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_MEMFD(where_nobody_listens_is_enoent_or_econnrefused),
		ON_MEMFD(what_is_no_address_is_einval),
		ON_MEMFD(options_are_checked_first),
		ON_MEMFD(a_full_backlog_is_waited_for_until_the_deadline),
		ON_BOTH(room_in_the_backlog_is_used_when_it_comes),
		ON_MEMFD(a_server_that_says_nothing_is_waited_for_until_the_deadline),
		ON_MEMFD(signals_do_not_end_it),
		ON_MEMFD(a_server_of_the_older_protocol_is_eprotonosupport),
		ON_BOTH(sockets_handed_in_will_do),
		ON_MEMFD(other_descriptors_are_einval_and_closed),
		ON_BOTH(both_sides_know_the_address),
		ON_MEMFD(a_server_may_insist_on_a_backend),
		ON_BOTH_FORKING(the_server_hears_which_process_and_user_it_is),
		ON_MEMFD_FORKING(another_user_is_eacces_unless_the_path_allows_it),
	};

	return RUN_TESTS(tests, argc, argv);
}
