// SPDX-License-Identifier: Apache-2.0
/*
 * session_death.c - tests of a peer in another process that exits, is killed, executes another program or is stopped: what it
 * sent is read, then every call says so, in time, and nothing is left of the session
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "session_pair.h"

struct peer {
	pid_t pid;
	int control;
};

/* What the child does, as the server; `control` is its end. Its return value is its exit status. */
typedef int peer_act(struct shmipc_session *session, int control);

static void peer_start(struct peer *peer, struct pair *pair, const struct shmipc_session_options *options,
		       peer_act *act)
{
	struct shmipc_session_options defaults = session_options(pair);
	struct shmipc_session *session;
	pid_t parent = getpid();
	int control[2], socket[2];

	options = options ? options : &defaults;
	pair_sockets(control);
	pair_sockets(socket);
	peer->pid = fork();
	assert_true(peer->pid >= 0);
	if (!peer->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGALRM, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		alarm(60);
		close(control[0]);
		close(socket[0]);
		if (getppid() != parent || shmipc_session_accept_fd(socket[1], options, FAR, &session))
			_exit(2);
		_exit(act(session, control[1]));
	}
	close(control[1]);
	close(socket[1]);
	peer->control = control[0];
	pair->fini = session_pair_close;
	assert_code(shmipc_session_connect_fd(socket[0], options, FAR, &pair->client), 0);
}

static void peer_end(struct peer *peer)
{
	int status;

	kill(peer->pid, SIGKILL);
	close(peer->control);
	assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
}

/* Ways to go, by the byte that the child is told. */
static int go(int control)
{
	switch (child_hear(control)) {
	case 'x':
		return 0;
	case 'e':
		execl("/bin/sleep", "sleep", "100", (char *)NULL);
		return 9;
	default:
		pause();
		return 0;
	}
}

static void make_it_go(struct peer *peer, char way)
{
	if (way == 'k')
		kill(peer->pid, SIGKILL);
	else
		child_tell(peer->control, way);
}

/* Opens a stream with data of all ways, holds a piece and a buffer of ours, and goes. */
static int send_and_go(struct shmipc_session *session, int control)
{
	struct shmipc_stream *stream, *theirs;
	struct shmipc_buffer buffer;
	struct shmipc_piece piece;

	child_check(shmipc_session_accept(session, &theirs, FAR) == 0);
	child_check(shmipc_stream_receive(theirs, &piece, FAR) == 1);
	child_check(shmipc_stream_open(session, &stream) == 0);
	pattern_write(stream, 50, 1);
	pattern_write(stream, 5000, 2);
	pattern_write(stream, 300000, 3);
	child_check(shmipc_stream_reserve(stream, 10000, &buffer, FAR) == 0);
	child_tell(control, 's');
	return go(control);
}

static void what_was_sent_is_read_then_epipe(struct pair *pair, char way)
{
	struct shmipc_stream *mine, *theirs;
	struct shmipc_buffer buffer;
	struct shmipc_stream *none;
	struct peer peer;
	char byte;

	peer_start(&peer, pair, NULL, send_and_go);
	assert_code(shmipc_stream_open(pair->client, &mine), 0);
	pattern_write(mine, 20000, 1);
	assert_int_equal(child_hear(peer.control), 's');
	make_it_go(&peer, way);
	await(shmipc_stream_write(mine, "x", 1, 0, 0) == -EPIPE);
	assert_code(shmipc_session_accept(pair->client, &theirs, FAR), 0);
	pattern_read(theirs, 50, 1);
	pattern_read(theirs, 5000, 2);
	pattern_read(theirs, 300000, 3);
	assert_code(shmipc_stream_read(theirs, &byte, 1, FAR), -EPIPE);
	assert_code(shmipc_stream_read(mine, &byte, 1, SHMIPC_FOREVER), -EPIPE);
	assert_code(shmipc_stream_reserve(mine, 10, &buffer, FAR), -EPIPE);
	assert_code(shmipc_stream_write(theirs, "x", 1, 0, FAR), -EPIPE);
	assert_code(shmipc_session_accept(pair->client, &none, FAR), -EPIPE);
	assert_code(shmipc_session_error(pair->client), -EPIPE);
	assert_int_equal(session_stats_of(pair->client).errors, 1);
	shmipc_stream_close(mine);
	shmipc_stream_close(theirs);
	assert_int_equal(session_streams(pair->client), 0);
	peer_end(&peer);
}

static int wait_and_go(struct shmipc_session *session, int control)
{
	(void)session;
	return go(control);
}

/* One thread each: accepts, reads, and writes beyond the window. */
static void blocked_calls_get_epipe(struct pair *pair, char way)
{
	struct shmipc_session_options options = session_options(pair);
	struct call accepting, reading, writing;
	struct shmipc_stream *streams[2];
	static char out[100000];
	struct peer peer;
	char in[10];

	options.window = 8192;
	peer_start(&peer, pair, &options, wait_and_go);
	assert_code(shmipc_stream_open(pair->client, &streams[0]), 0);
	assert_code(shmipc_stream_open(pair->client, &streams[1]), 0);
	fill_up(streams[0], 1000);
	call_accept(&accepting, pair->client, SHMIPC_FOREVER);
	call_read(&reading, streams[1], in, sizeof(in), SHMIPC_FOREVER);
	call_write(&writing, streams[0], out, sizeof(out), SHMIPC_FOREVER);
	worker_await_sleep(&accepting.worker);
	worker_await_sleep(&reading.worker);
	worker_await_sleep(&writing.worker);
	make_it_go(&peer, way);
	assert_code(worker_join(&accepting.worker), -EPIPE);
	assert_code(worker_join(&reading.worker), -EPIPE);
	worker_join(&writing.worker);
	assert_true(writing.worker.result == -EPIPE || writing.worker.result > 0);
	shmipc_stream_close(streams[0]);
	shmipc_stream_close(streams[1]);
	peer_end(&peer);
}

#define WAYS(body)                                                                                                     \
	static void body##_after_exit(struct pair *pair)                                                               \
	{                                                                                                              \
		body(pair, 'x');                                                                                       \
	}                                                                                                              \
	static void body##_after_exec(struct pair *pair)                                                               \
	{                                                                                                              \
		body(pair, 'e');                                                                                       \
	}                                                                                                              \
	static void body##_after_kill(struct pair *pair)                                                               \
	{                                                                                                              \
		body(pair, 'k');                                                                                       \
	}
#define ON_WAYS(body)                                                                                                  \
	ON_BOTH_FORKING(body##_after_exit), ON_BOTH_FORKING(body##_after_exec), ON_BOTH_FORKING(body##_after_kill)

WAYS(what_was_sent_is_read_then_epipe)
WAYS(blocked_calls_get_epipe)

static int fall_back_and_go(struct shmipc_session *session, int control)
{
	struct shmipc_stream *stream;
	uint32_t i;

	child_check(shmipc_stream_open(session, &stream) == 0);
	for (i = 0; i < 8; i++)
		pattern_write(stream, 16000, i);
	child_check(session_stats_of(session).fallback_sent > 0);
	child_tell(control, 's');
	return go(control);
}

static void bytes_in_the_socket_survive_the_death_of_who_sent_them(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct shmipc_stream *stream;
	struct peer peer;
	uint32_t i;

	options.channel.segment_bytes = options.channel.memory_max = 32768;
	peer_start(&peer, pair, &options, fall_back_and_go);
	assert_int_equal(child_hear(peer.control), 's');
	make_it_go(&peer, 'k');
	assert_int_equal(waitpid(peer.pid, NULL, 0), peer.pid);
	assert_code(shmipc_session_accept(pair->client, &stream, FAR), 0);
	for (i = 0; i < 8; i++)
		pattern_read(stream, 16000, i);
	assert_code(shmipc_stream_read(stream, &i, 1, FAR), -EPIPE);
	shmipc_stream_close(stream);
	close(peer.control);
}

static int answer_all(struct shmipc_session *session, int control)
{
	struct shmipc_stream *stream;
	static char data[100000];
	ssize_t n;

	child_check(shmipc_session_accept(session, &stream, FAR) == 0);
	child_tell(control, 's');
	while ((n = shmipc_stream_read(stream, data, sizeof(data), FAR)) > 0)
		child_check(shmipc_stream_write(stream, data, (size_t)n, 0, FAR) == n);
	shmipc_stream_close(stream);
	shmipc_session_close(session);
	return n == 0 ? 0 : 1;
}

static void a_stopped_peer_makes_deadlines_pass_and_goes_on_where_it_was(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct shmipc_stream *stream;
	struct peer peer;
	static char out[30000], in[30000];
	int64_t deadline;
	size_t sent, got = 0;
	ssize_t n;

	options.channel.slots = 16;
	options.window = 16384;
	peer_start(&peer, pair, &options, answer_all);
	assert_code(shmipc_stream_open(pair->client, &stream), 0);
	assert_code(shmipc_stream_write(stream, "!", 1, 0, FAR), 1);
	assert_int_equal(child_hear(peer.control), 's');
	assert_code(shmipc_stream_read(stream, in, 1, FAR), 1);
	kill(peer.pid, SIGSTOP);
	sent = fill_up(stream, 500);
	deadline = soon(30);
	n = shmipc_stream_write(stream, out, sizeof(out), 0, deadline);
	assert_true(n == -ETIMEDOUT || n > 0);
	sent += n > 0 ? (size_t)n : 0;
	assert_true(now_ns() >= deadline);
	deadline = soon(10);
	/* It may have answered some before it was stopped. */
	while ((n = shmipc_stream_read(stream, in, sizeof(in), deadline)) > 0)
		got += (size_t)n;
	assert_code(n, -ETIMEDOUT);
	assert_code(shmipc_session_error(pair->client), 0);
	kill(peer.pid, SIGCONT);
	while (got < sent) {
		n = shmipc_stream_read(stream, in, sizeof(in), FAR);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_code(shmipc_stream_end(stream), 0);
	assert_code(shmipc_stream_read(stream, in, 1, FAR), 0);
	shmipc_stream_close(stream);
	peer_end(&peer);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_WAYS(what_was_sent_is_read_then_epipe),
		ON_WAYS(blocked_calls_get_epipe),
		ON_BOTH_FORKING(bytes_in_the_socket_survive_the_death_of_who_sent_them),
		ON_BOTH_FORKING(a_stopped_peer_makes_deadlines_pass_and_goes_on_where_it_was),
	};

	return RUN_TESTS(tests, argc, argv);
}
