// SPDX-License-Identifier: Apache-2.0
/*
 * observe_quiet.c - tests of what a session says in the log and the protocol trace, and what it keeps quiet about
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "session/internal.h"
#include "session_pair.h"
#include "shmipc/observe.h"

/* All lines, one after the other. */
static struct {
	_Atomic int lines[SHMIPC_LOG_NONE];
	char text[16384];
	_Atomic size_t used;
} heard;

static void hear(enum shmipc_log_level level, const char *line, void *arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* both sides speak, each in its thread */
	size_t size = strlen(line) + 1, at;

	(void)arg;
	pthread_mutex_lock(&lock);
	at = heard.used;
	heard.lines[level]++;
	if (at + size < sizeof(heard.text)) {
		memcpy(heard.text + at, line, size);
		heard.text[at + size - 1] = '\n';
		heard.used = at + size;
	}
	pthread_mutex_unlock(&lock);
}

static void listen_from(enum shmipc_log_level level)
{
	memset(&heard, 0, sizeof(heard));
	assert_code(shmipc_log_set(level, hear, NULL), 0);
}

static void listen_no_more(void)
{
	assert_code(shmipc_log_set(SHMIPC_LOG_NONE, NULL, NULL), 0);
	assert_code(shmipc_protocol_trace_set(0), 0);
}

static bool is_heard(const char *words)
{
	return strstr(heard.text, words);
}

static void a_session_that_is_closed_at_both_sides_alarms_nobody(struct pair *pair)
{
	struct ends ends;

	listen_from(SHMIPC_LOG_INFO);
	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	pattern_write(ends.near, 5000, 1);
	pattern_read(ends.far, 5000, 1);
	ends_close(pair, &ends);
	shmipc_session_close(pair->client);
	pair->client = NULL;
	await((session_look(pair->server), shmipc_session_error(pair->server) == -EPIPE));
	assert_int_equal(session_stats_of(pair->server).errors, 0);
	session_pair_close(pair);
	assert_int_equal(heard.used, 0);
	listen_no_more();
}

static void a_writer_that_meets_the_peers_close_alarms_nobody(struct pair *pair)
{
	struct ends ends;

	listen_from(SHMIPC_LOG_INFO);
	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	shmipc_session_close(pair->client);
	shmipc_stream_close(ends.near);
	pair->client = NULL;
	await(shmipc_stream_write(ends.far, "x", 1, 0, 0) == -EPIPE);
	assert_int_equal(session_stats_of(pair->server).errors, 0);
	shmipc_stream_close(ends.far);
	session_pair_close(pair);
	assert_int_equal(heard.used, 0);
	listen_no_more();
}

static void a_writer_that_meets_the_peers_close_takes_nothing_from_readers(struct pair *pair)
{
	struct ends read, written;

	session_pair_open(pair, NULL, NULL);
	read = ends_open(pair);
	written = ends_open(pair);
	pattern_write(read.near, 5000, 1);
	shmipc_session_close(pair->client);
	shmipc_stream_close(read.near);
	shmipc_stream_close(written.near);
	pair->client = NULL;
	await(shmipc_stream_write(written.far, "x", 1, 0, 0) == -EPIPE);
	pattern_read(read.far, 5000, 1);
	shmipc_stream_close(read.far);
	shmipc_stream_close(written.far);
}

static void begin_and_end_are_told_at_level_debug(struct pair *pair)
{
	listen_from(SHMIPC_LOG_DEBUG);
	session_pair_open(pair, NULL, NULL);
	assert_true(is_heard(" begins: client, "));
	assert_true(is_heard(" begins: server, "));
	session_pair_close(pair);
	assert_true(is_heard(" ended: it was ended on this side\n"));
	assert_int_equal(heard.lines[SHMIPC_LOG_WARN], 0);
	listen_no_more();
}

static int wait_to_be_killed(struct shmipc_channel *channel, int control)
{
	(void)channel;
	child_tell(control, 'r');
	pause();
	return 0;
}

static void a_peer_that_dies_is_a_warning_with_its_pid(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	const struct session_limits limits = { 1 << 20, 64 << 20, 1000 };
	char expected[128];
	struct child child;
	int socket[2];

	listen_from(SHMIPC_LOG_INFO);
	child_start(&child, pair, &options.channel, wait_to_be_killed);
	assert_int_equal(child_hear(child.control), 'r');
	pair_sockets(socket);
	assert_code(session_start(pair->a, socket[0], false, &options, &limits, &pair->client), 0);
	pair->a = NULL;
	pair->fini = session_pair_close;
	snprintf(expected, sizeof(expected), " warn session: %llu ended: %s; the peer is process %d\n",
		 (unsigned long long)pair->client->number, shmipc_strerror(-EPIPE), (int)child.pid);
	child_kill(&child);
	await((session_look(pair->client), shmipc_session_error(pair->client) == -EPIPE));
	assert_int_equal(session_stats_of(pair->client).errors, 1);
	assert_true(is_heard(expected));
	assert_int_equal(heard.lines[SHMIPC_LOG_WARN], 1);
	close(socket[1]);
	listen_no_more();
}

static void the_trace_has_the_sessions_own_messages(struct pair *pair)
{
	char sent[64], received[64];

	listen_from(SHMIPC_LOG_NONE);
	assert_code(shmipc_protocol_trace_set(1), 0);
	session_pair_open(pair, NULL, NULL);
	snprintf(sent, sizeof(sent), "protocol: session %llu sent goodbye", (unsigned long long)pair->client->number);
	snprintf(received, sizeof(received), "protocol: session %llu received goodbye",
		 (unsigned long long)pair->server->number);
	outbox_control(pair->client, MSG_RESTART, 7, 0);
	session_look(pair->server);
	assert_true(is_heard(" sent restart epoch=7\n"));
	assert_true(is_heard(" received restart epoch=7\n"));
	outbox_control(pair->server, MSG_RESTART_ANSWER, 7, -5);
	session_look(pair->client);
	assert_true(is_heard(" sent restart-answer epoch=7 status=-5\n"));
	assert_true(is_heard(" received restart-answer epoch=7 status=-5\n"));
	shmipc_session_shutdown(pair->client);
	await((session_look(pair->server), shmipc_session_error(pair->server)));
	assert_true(is_heard(sent));
	assert_true(is_heard(received));
	listen_no_more();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_session_that_is_closed_at_both_sides_alarms_nobody),
		ON_BOTH(a_writer_that_meets_the_peers_close_alarms_nobody),
		ON_BOTH(a_writer_that_meets_the_peers_close_takes_nothing_from_readers),
		ON_BOTH(begin_and_end_are_told_at_level_debug),
		ON_BOTH_FORKING(a_peer_that_dies_is_a_warning_with_its_pid),
		ON_BOTH(the_trace_has_the_sessions_own_messages),
	};

	return RUN_TESTS(tests, argc, argv);
}
