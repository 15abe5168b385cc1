// SPDX-License-Identifier: Apache-2.0
/*
 * session_copies.c - tests of two copies of the library in one process, as where a plug-in brings its own: neither knows of the
 * other, they talk to each other like strangers, and a forked child is refused by both
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "session_pair.h"

/* The functions of the shared library; this program has the static one. */
#define OTHERS(X)                                                                                                      \
	X(session_accept_fd)                                                                                           \
	X(session_connect_fd)                                                                                          \
	X(session_accept)                                                                                              \
	X(session_close)                                                                                               \
	X(stream_open)                                                                                                 \
	X(stream_read)                                                                                                 \
	X(stream_write)                                                                                                \
	X(stream_close)

static struct {
	void *handle;
#define MEMBER(name) __typeof__(shmipc_##name) *name;
	OTHERS(MEMBER)
} other;

static void load(void)
{
	char path[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	int i;

	if (other.handle)
		return;
	assert_true(n > 0);
	path[n] = '\0';
	for (i = 0; i < 3; i++) {
		slash = strrchr(path, '/');
		assert_non_null(slash);
		*slash = '\0';
	}
	strcat(path, "/libshmipc/libshmipc.so.0");
	other.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!other.handle)
		fail_msg("%s", dlerror());
#define FIND(name)                                                                                                     \
	other.name = (__typeof__(other.name))dlsym(other.handle, "shmipc_" #name);                                     \
	assert_non_null(other.name);
	OTHERS(FIND)
	assert_true((void *)other.stream_read != (void *)shmipc_stream_read);
}

struct serving {
	struct worker worker;
	struct shmipc_session_options options;
	int socket;
	struct shmipc_session *session;
};

static int serve(struct worker *worker)
{
	struct serving *s = (struct serving *)worker;

	return other.session_accept_fd(s->socket, &s->options, FAR, &s->session);
}

/* pair->client is this copy's; the server is the other copy's. */
static struct shmipc_session *open_between(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	struct serving serving = { .worker.call = serve, .options = options };
	int socket[2];

	load();
	pair->fini = session_pair_close;
	pair_sockets(socket);
	serving.socket = socket[1];
	worker_start(&serving.worker);
	assert_code(shmipc_session_connect_fd(socket[0], &options, FAR, &pair->client), 0);
	assert_code(worker_join(&serving.worker), 0);
	return serving.session;
}

static void exchange(struct shmipc_session *mine, struct shmipc_session *theirs)
{
	struct shmipc_stream *near, *far;
	static char out[100000], in[100000];
	size_t got = 0;

	assert_code(shmipc_stream_open(mine, &near), 0);
	pattern_fill(out, sizeof(out), 1);
	assert_code(shmipc_stream_write(near, out, sizeof(out), 0, FAR), sizeof(out));
	assert_code(other.session_accept(theirs, &far, FAR), 0);
	while (got < sizeof(in)) {
		ssize_t n = other.stream_read(far, in + got, sizeof(in) - got, FAR);

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_memory_equal(in, out, sizeof(in));
	assert_code(other.stream_write(far, "back", 4, 0, FAR), 4);
	assert_code(shmipc_stream_read(near, in, sizeof(in), FAR), 4);
	other.stream_close(far);
	assert_code(shmipc_stream_read(near, in, 1, FAR), 0);
	shmipc_stream_close(near);
}

/* What a copy opens with its first channel, and keeps, is no leak. */
static int open_first(void **state)
{
	struct pair first = { .backend = SHMIPC_BACKEND_MEMFD };
	struct shmipc_session *theirs;

	(void)state;
	theirs = open_between(&first);
	other.session_close(theirs);
	session_pair_close(&first);
	return 0;
}

static void two_copies_talk_to_each_other(struct pair *pair)
{
	int fds, i;

	fds = count_fds();
	for (i = 0; i < 5; i++) {
		struct shmipc_session *theirs = open_between(pair);

		exchange(pair->client, theirs);
		other.session_close(theirs);
		session_pair_close(pair);
		assert_int_equal(count_fds(), fds);
		assert_int_equal(count_lane_mappings(), 0);
	}
}

struct both {
	struct shmipc_stream *mine, *theirs;
};

static int both_refuse(void *argument)
{
	struct both *both = argument;

	child_check(shmipc_stream_write(both->mine, "x", 1, 0, FAR) == -EPERM);
	child_check(other.stream_write(both->theirs, "x", 1, 0, FAR) == -EPERM);
	child_check(count_lane_mappings() == 0);
	return 0;
}

static void in_a_forked_child_both_copies_refuse(struct pair *pair)
{
	struct shmipc_session *theirs;
	struct both both;

	theirs = open_between(pair);
	assert_code(shmipc_stream_open(pair->client, &both.mine), 0);
	assert_code(other.stream_open(theirs, &both.theirs), 0);
	assert_int_equal(run_forked(both_refuse, &both), 0);
	exchange(pair->client, theirs);
	shmipc_stream_close(both.mine);
	other.stream_close(both.theirs);
	other.session_close(theirs);
}

static void the_end_of_ones_sessions_is_nothing_to_the_other(struct pair *pair)
{
	struct pair own = { .backend = pair->backend };
	struct shmipc_session *theirs;
	struct ends ends;

	session_pair_open(&own, NULL, NULL);
	ends = ends_open(&own);
	theirs = open_between(pair);
	exchange(pair->client, theirs);
	other.session_close(theirs);
	session_pair_close(pair);
	pattern_write(ends.near, 50000, 1);
	pattern_read(ends.far, 50000, 1);
	ends_close(&own, &ends);
	session_pair_close(&own);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(two_copies_talk_to_each_other),
		ON_BOTH_FORKING(in_a_forked_child_both_copies_refuse),
		ON_BOTH(the_end_of_ones_sessions_is_nothing_to_the_other),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
	return cmocka_run_group_tests(tests, open_first, NULL);
}
