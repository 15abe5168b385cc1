// SPDX-License-Identifier: Apache-2.0
/*
 * session_fork.c - tests of a forked child of a process that has sessions: every call is -EPERM there, and the parent's session is
 * unharmed whatever the child does; and of a peer that executes another program
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "session_pair.h"

struct family {
	struct pair *pair;
	struct ends ends;
	struct shmipc_piece piece;
	struct shmipc_buffer buffer;
};

static void ignore(struct shmipc_stream *stream, void *arg)
{
	(void)stream;
	(void)arg;
}

static int every_call_is_eperm(void *argument)
{
	static const struct shmipc_stream_callbacks callbacks = { .on_readable = ignore };
	static const struct shmipc_session_callbacks session_callbacks = { .on_stream = NULL };
	struct shmipc_session_stats session_stats = { .size = sizeof(session_stats) };
	struct shmipc_stream_stats stream_stats = { .size = sizeof(stream_stats) };
	struct family *f = argument;
	struct shmipc_session *session = f->pair->client;
	struct shmipc_stream *s = f->ends.near, *other;
	struct iovec iov = { (char[4]){ "abc" }, 4 };
	struct shmipc_buffer buffer;
	struct shmipc_piece piece;
	struct shmipc_peer peer;
	const void *data;
	char byte;

	child_check(shmipc_session_shutdown(session) == -EPERM);
	child_check(shmipc_session_accept(session, &other, FAR) == -EPERM);
	child_check(shmipc_session_set_callbacks(session, &session_callbacks, NULL) == -EPERM);
	child_check(shmipc_session_fd(session) == -EPERM);
	child_check(shmipc_session_process(session) == -EPERM);
	child_check(shmipc_session_stats(session, &session_stats) == -EPERM);
	child_check(shmipc_session_peer(session, &peer) == -EPERM);
	child_check(shmipc_stream_open(session, &other) == -EPERM);
	child_check(shmipc_stream_end(s) == -EPERM);
	child_check(shmipc_stream_reset(s, 1) == -EPERM);
	child_check(shmipc_stream_write(s, "x", 1, 0, FAR) == -EPERM);
	child_check(shmipc_stream_writev(s, &iov, 1, 0, FAR) == -EPERM);
	child_check(shmipc_stream_flush(s, FAR) == -EPERM);
	child_check(shmipc_stream_reserve(f->ends.far, 10, &buffer, FAR) == -EPERM);
	child_check(shmipc_stream_submit(s, &f->buffer, 10, 0, FAR) == -EPERM);
	child_check(shmipc_stream_cancel(s, &f->buffer) == -EPERM);
	child_check(shmipc_stream_read(s, &byte, 1, FAR) == -EPERM);
	child_check(shmipc_stream_readv(s, &iov, 1, FAR) == -EPERM);
	child_check(shmipc_stream_read_message(s, &byte, 1, NULL, FAR) == -EPERM);
	child_check(shmipc_stream_receive(s, &piece, FAR) == -EPERM);
	child_check(shmipc_stream_release(f->ends.far, &f->piece) == -EPERM);
	child_check(shmipc_stream_peek(s, 1, &data, FAR) == -EPERM);
	child_check(shmipc_stream_discard(s, 1, FAR) == -EPERM);
	child_check(shmipc_stream_call(s, "x", 1, &byte, 1, FAR) == -EPERM);
	child_check(shmipc_stream_wait(s, SHMIPC_READABLE, FAR) == -EPERM);
	child_check(shmipc_stream_set_callbacks(s, &callbacks, NULL) == -EPERM);
	child_check(shmipc_stream_stats(s, &stream_stats) == -EPERM);
	return 0;
}

static void open_family(struct pair *pair, struct family *f)
{
	memset(f, 0, sizeof(*f));
	session_pair_open(pair, NULL, NULL);
	f->pair = pair;
	f->ends = ends_open(pair);
	pattern_write(f->ends.near, 20000, 1);
	assert_code(shmipc_stream_receive(f->ends.far, &f->piece, FAR), 1);
	assert_code(shmipc_stream_reserve(f->ends.near, 5000, &f->buffer, FAR), 0);
	pattern_fill(f->buffer.data, 5000, 2);
}

/* All that was begun before the fork goes on. */
static void finish_family(struct family *f)
{
	assert_true(pattern_is(f->piece.data, 20000, 1));
	assert_code(shmipc_stream_release(f->ends.far, &f->piece), 0);
	assert_code(shmipc_stream_submit(f->ends.near, &f->buffer, 5000, 0, FAR), 0);
	pattern_read(f->ends.far, 5000, 2);
	pattern_write(f->ends.far, 200000, 3);
	pattern_read(f->ends.near, 200000, 3);
	ends_close(f->pair, &f->ends);
}

static void in_a_forked_child_every_call_is_eperm(struct pair *pair)
{
	struct family f;

	open_family(pair, &f);
	assert_int_equal(run_forked(every_call_is_eperm, &f), 0);
	finish_family(&f);
}

static int close_everything(void *argument)
{
	struct family *f = argument;

	shmipc_stream_close(f->ends.near);
	shmipc_session_close(f->pair->client);
	shmipc_session_close(f->pair->server);
	shmipc_stream_close(f->ends.far);
	return 0;
}

static void closing_all_in_a_forked_child_harms_nobody(struct pair *pair)
{
	struct family f;

	open_family(pair, &f);
	assert_int_equal(run_forked(close_everything, &f), 0);
	finish_family(&f);
}

static void closing_all_in_a_forked_child_while_a_thread_waits_harms_nobody(struct pair *pair)
{
	struct family f;
	struct call call;
	char in[10];

	open_family(pair, &f);
	call_read(&call, f.ends.near, in, sizeof(in), SHMIPC_FOREVER);
	worker_await_sleep(&call.worker);
	assert_int_equal(run_forked(close_everything, &f), 0);
	sleep_ms(10);
	assert_false(call.worker.over);
	pattern_write(f.ends.far, 10, 1);
	assert_code(worker_join(&call.worker), 10);
	finish_family(&f);
}

static int have_a_session(void *argument)
{
	struct pair own = { .backend = ((struct family *)argument)->pair->backend };
	struct ends ends;

	session_pair_open(&own, NULL, NULL);
	ends = ends_open(&own);
	pattern_write(ends.near, 100000, 1);
	pattern_read(ends.far, 100000, 1);
	ends_close(&own, &ends);
	session_pair_close(&own);
	return every_call_is_eperm(argument);
}

static void a_forked_child_can_have_sessions_of_its_own(struct pair *pair)
{
	struct family f;

	open_family(pair, &f);
	assert_int_equal(run_forked(have_a_session, &f), 0);
	finish_family(&f);
}

static int make_a_child_that_outlives(void *argument)
{
	int *report = argument;
	pid_t pid = fork();

	if (!pid) {
		alarm(60);
		child_tell(*report, 'k');
		for (;;)
			pause();
	}
	child_tell(*report, 'p');
	return write(*report, &pid, sizeof(pid)) == sizeof(pid) ? 0 : 1;
}

/* A copy of every descriptor in another process keeps no session alive. */
static void a_grandchild_with_all_descriptors_delays_no_end(struct pair *pair)
{
	struct ends ends;
	int report[2], i;
	pid_t pid = 0;
	char byte;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	pair_sockets(report);
	assert_int_equal(run_forked(make_a_child_that_outlives, &report[1]), 0);
	for (i = 0; i < 2; i++)
		if (child_hear(report[0]) == 'p')
			assert_int_equal(read(report[0], &pid, sizeof(pid)), sizeof(pid));
	shmipc_session_close(pair->client);
	pair->client = NULL;
	assert_code(shmipc_stream_read(ends.far, &byte, 1, FAR), -EPIPE);
	shmipc_stream_close(ends.near);
	shmipc_stream_close(ends.far);
	kill(pid, SIGKILL);
	close(report[0]);
	close(report[1]);
}

static int list_descriptors(void *argument)
{
	char path[] = "/proc/self/fd/000", target[200];
	ssize_t n;
	int fd;

	(void)argument;
	/* What exec would leave open. */
	for (fd = 3; fd < 256; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags < 0 || flags & FD_CLOEXEC)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		child_check(!strstr(target, "memfd") && !strstr(target, "shmipc") && !strstr(target, "eventfd") &&
			    !strstr(target, "eventpoll"));
	}
	return 0;
}

static void no_descriptor_of_a_session_survives_exec(struct pair *pair)
{
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	assert_true(shmipc_session_fd(pair->client) >= 0);
	ends = ends_open(pair);
	assert_int_equal(run_forked(list_descriptors, NULL), 0);
	ends_close(pair, &ends);
}

struct traffic {
	struct worker worker;
	struct family *family;
};

static int fork_many(struct worker *worker)
{
	struct traffic *t = (struct traffic *)worker;
	int i;

	for (i = 0; i < 20; i++)
		if (run_forked(i % 2 ? every_call_is_eperm : close_everything, t->family))
			return -1;
	return 0;
}

static void forking_in_the_midst_of_traffic_harms_nobody(struct pair *pair)
{
	struct traffic forker = { .worker.call = fork_many };
	struct ends ends;
	struct family f;
	uint32_t i = 0;

	open_family(pair, &f);
	ends = ends_open(pair);
	forker.family = &f;
	worker_start(&forker.worker);
	do {
		pattern_write(ends.near, i % 5000 + 1, i);
		pattern_read(ends.far, i % 5000 + 1, i);
		i++;
	} while (!forker.worker.over);
	assert_code(worker_join(&forker.worker), 0);
	shmipc_stream_close(ends.near);
	shmipc_stream_close(ends.far);
	finish_family(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH_FORKING(in_a_forked_child_every_call_is_eperm),
		ON_BOTH_FORKING(closing_all_in_a_forked_child_harms_nobody),
		ON_BOTH_FORKING(closing_all_in_a_forked_child_while_a_thread_waits_harms_nobody),
		ON_BOTH_FORKING(a_forked_child_can_have_sessions_of_its_own),
		ON_BOTH_FORKING(a_grandchild_with_all_descriptors_delays_no_end),
		ON_BOTH_FORKING(no_descriptor_of_a_session_survives_exec),
		ON_BOTH_FORKING(forking_in_the_midst_of_traffic_harms_nobody),
	};

	return RUN_TESTS(tests, argc, argv);
}
