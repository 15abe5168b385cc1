// SPDX-License-Identifier: Apache-2.0
/*
 * server.c - an echo server for tests
 */
#include "server.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROLE "shmipc-test-server"

void server_name(char address[64])
{
	static _Atomic int number;

	snprintf(address, 64, "@shmipc-test-%d-%d", (int)getpid(), number++);
}

struct shmipc_session_options server_session_options(const struct pair *pair)
{
	struct shmipc_session_options options = SHMIPC_SESSION_OPTIONS_INIT;

	options.channel = pair_options(pair);
	return options;
}

struct shmipc_listener_options server_options(const struct pair *pair)
{
	struct shmipc_listener_options options = SHMIPC_LISTENER_OPTIONS_INIT;

	options.session = server_session_options(pair);
	options.handshake_ms = 10000;
	return options;
}

struct shmipc_pool_options pool_options(const struct pair *pair)
{
	struct shmipc_pool_options options = SHMIPC_POOL_OPTIONS_INIT;

	options.session = server_session_options(pair);
	options.connect_ms = 10000;
	options.retry_min_ms = 5;
	options.retry_max_ms = 50;
	return options;
}

struct shmipc_pool_stats pool_stats_of(struct shmipc_pool *pool)
{
	struct shmipc_pool_stats stats;

	memset(&stats, 0xa5, sizeof(stats));
	stats.size = sizeof(stats);
	assert_code(shmipc_pool_stats(pool, &stats), 0);
	return stats;
}

static void on_readable(struct shmipc_stream *stream, void *arg)
{
	void (*act)(struct server * server);
	struct server *server = arg;
	char bytes[4096];
	ssize_t n;

	while ((n = shmipc_stream_read(stream, bytes, sizeof(bytes), 0)) > 0) {
		act = server->act;
		if (act)
			act(server);
		server->act = NULL;
		shmipc_stream_write(stream, bytes, (size_t)n, 0, SHMIPC_FOREVER);
	}
}

static void on_stream_end(struct shmipc_stream *stream, int reason, void *arg)
{
	struct server *server = arg;

	(void)reason;
	shmipc_stream_close(stream);
	server->ended++;
	server->streams--;
}

static void on_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	static const struct shmipc_stream_callbacks callbacks = { .on_readable = on_readable, .on_end = on_stream_end };
	struct server *server = arg;

	(void)session;
	server->streams++;
	if (!server->act)
		server->last_stream = stream;
	shmipc_stream_set_callbacks(stream, &callbacks, server);
}

static void on_end(struct shmipc_session *session, int reason, void *arg)
{
	struct server *server = arg;

	(void)reason;
	shmipc_session_close(session);
	server->sessions--;
}

static void on_session(struct shmipc_listener *listener, struct shmipc_session *session, void *arg)
{
	static const struct shmipc_session_callbacks callbacks = { .on_stream = on_stream, .on_end = on_end };
	struct server *server = arg;

	(void)listener;
	server->sessions++;
	if (!server->act) {
		server->accepted++;
		server->last_session = session;
	}
	shmipc_session_set_callbacks(session, &callbacks, server);
	if (shmipc_dispatcher_add_session(server->dispatcher, session)) {
		shmipc_session_close(session);
		server->sessions--;
	}
}

static int start(struct server *server, const struct shmipc_listener_options *options, unsigned int threads, int socket)
{
	int r = socket < 0 ? shmipc_listener_create(server->address, options, &server->listener)
			   : shmipc_listener_create_fd(socket, options, &server->listener);

	if (!r)
		r = shmipc_dispatcher_create(threads, &server->dispatcher);
	if (!r)
		r = shmipc_dispatcher_add_listener(server->dispatcher, server->listener, on_session, server);
	return r;
}

void server_start(struct server *server, const struct pair *pair, unsigned int threads, int socket)
{
	struct shmipc_listener_options options = server_options(pair);

	if (!server->address[0])
		server_name(server->address);
	assert_code(start(server, &options, threads, socket), 0);
}

void server_stop(struct server *server)
{
	/* First, so that no client comes that nobody waits for. */
	assert_code(shmipc_dispatcher_remove_listener(server->dispatcher, server->listener), 0);
	await(!server->sessions);
	await(!server->streams);
	shmipc_dispatcher_close(server->dispatcher);
	shmipc_listener_close(server->listener);
}

void server_act(struct server *server, const struct pair *pair, void (*act)(struct server *server))
{
	struct shmipc_session_options options = server_session_options(pair);
	struct shmipc_session *session;
	struct shmipc_stream *stream;

	server->act = act;
	assert_code(shmipc_session_connect(server->address, &options, FAR, &session), 0);
	assert_code(shmipc_stream_open(session, &stream), 0);
	assert_code(server_echo(stream, 0, 10), 0);
	shmipc_stream_close(stream);
	shmipc_session_close(session);
}

int server_silent(const char *address, int backlog)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address));

	strcpy(name.sun_path, address);
	name.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

struct accepting {
	const struct pair *pair;
	int socket, result;
	struct shmipc_session *session;
};

static void *accept_session(void *argument)
{
	struct accepting *accepting = argument;
	struct shmipc_session_options options = server_session_options(accepting->pair);

	accepting->result = shmipc_session_accept_fd(accepting->socket, &options, FAR, &accepting->session);
	return NULL;
}

void server_sessions(const struct pair *pair, struct shmipc_session **client, struct shmipc_session **server)
{
	struct shmipc_session_options options = server_session_options(pair);
	struct accepting accepting = { .pair = pair };
	pthread_t thread;
	int socket[2];

	pair_sockets(socket);
	accepting.socket = socket[1];
	assert_int_equal(pthread_create(&thread, NULL, accept_session, &accepting), 0);
	assert_code(shmipc_session_connect_fd(socket[0], &options, FAR, client), 0);
	pthread_join(thread, NULL);
	assert_code(accepting.result, 0);
	*server = accepting.session;
}

pid_t server_spawn(const struct pair *pair, const char *address)
{
	char ready = 0, fd[16], backend[16];
	int pipe_fd[2];
	pid_t pid;

	assert_int_equal(pipe(pipe_fd), 0);
	snprintf(fd, sizeof(fd), "%d", pipe_fd[1]);
	snprintf(backend, sizeof(backend), "%d", (int)pair->backend);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(pipe_fd[0]);
		execl("/proc/self/exe", ROLE, address, backend, fd, NULL);
		_exit(127);
	}
	close(pipe_fd[1]);
	assert_int_equal(read(pipe_fd[0], &ready, 1), 1);
	close(pipe_fd[0]);
	return pid;
}

void server_kill(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

void server_main(int argc, char **argv)
{
	struct shmipc_listener_options options;
	struct server server = { 0 };
	struct pair pair = { 0 };

	if (argc != 4 || strcmp(argv[0], ROLE))
		return;
	alarm(100);
	pair.backend = (enum shmipc_backend)atoi(argv[2]);
	options = server_options(&pair);
	snprintf(server.address, sizeof(server.address), "%s", argv[1]);
	if (start(&server, &options, 2, -1) || write(atoi(argv[3]), "!", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

int server_echo(struct shmipc_stream *stream, uint32_t tag, size_t size)
{
	unsigned char sent[512], got[512];
	size_t done = 0;
	ssize_t n;

	assert_true(size <= sizeof(sent));
	pattern_fill(sent, size, tag);
	n = shmipc_stream_write(stream, sent, size, 0, FAR);
	if (n != (ssize_t)size)
		return n < 0 ? (int)n : -EIO;
	while (done < size) {
		n = shmipc_stream_read(stream, got + done, size - done, FAR);
		if (n <= 0)
			return n ? (int)n : -ENODATA;
		done += (size_t)n;
	}
	return memcmp(sent, got, size) ? -EBADMSG : 0;
}

int pool_echo(struct shmipc_pool *pool, uint32_t tag)
{
	struct shmipc_stream *stream;
	int r = shmipc_pool_get(pool, &stream, FAR);

	if (r)
		return r;
	r = server_echo(stream, tag, 100);
	shmipc_pool_put(pool, stream);
	return r;
}
