// SPDX-License-Identifier: Apache-2.0
/*
 * observe_timer.c - tests of monitors and idle timeouts, and of the thread that sees to both
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "session_pair.h"

/* What a monitor saw. The session must be closed before it goes. */
struct sight {
	_Atomic int calls, after_the_end;
	_Atomic int64_t first, latest, least_apart;
	_Atomic int error; /* of the session, at the latest call */
	_Atomic uint64_t written;
	_Atomic bool running, closed;
	_Atomic pid_t tid;
	int delay_ms;
	struct pair *_Atomic close; /* set when it is open: close its client in the next call */
	bool close_server;	    /* and its server; set before */
};

static void close_pair(struct sight *sight, struct pair *pair)
{
	if (pair && pair->client) {
		shmipc_session_close(pair->client);
		pair->client = NULL;
	}
	if (pair && pair->server && sight->close_server) {
		shmipc_session_close(pair->server);
		pair->server = NULL;
	}
}

static void see(struct shmipc_session *session, const struct shmipc_session_stats *stats, void *arg)
{
	struct sight *sight = arg;
	int64_t now = now_ns(), apart = now - sight->latest;

	sight->running = true;
	if (sight->error)
		sight->after_the_end++;
	if (!sight->calls)
		sight->first = now;
	else if (sight->calls == 1 || apart < sight->least_apart)
		sight->least_apart = apart;
	sight->latest = now;
	sight->error = shmipc_session_error(session);
	sight->written = stats->bytes_written;
	sight->tid = (pid_t)syscall(SYS_gettid);
	if (sight->delay_ms)
		sleep_ms(sight->delay_ms);
	close_pair(sight, sight->close);
	sight->closed = sight->close;
	sight->running = false;
	sight->calls++;
}

static struct shmipc_session_options monitored(const struct pair *pair, struct sight *sight, uint32_t ms)
{
	struct shmipc_session_options options = session_options(pair);

	options.monitor = see;
	options.monitor_ms = ms;
	options.monitor_arg = sight;
	return options;
}

static struct shmipc_session_options idling(const struct pair *pair, uint32_t ms)
{
	struct shmipc_session_options options = session_options(pair);

	options.idle_timeout_ms = ms;
	return options;
}

/* Find it in /proc. Returns how many there are; *@tid: one of them. */
static int count_timers(pid_t *tid)
{
	DIR *directory = opendir("/proc/self/task");
	struct dirent *entry;
	char path[300], name[32];
	int count = 0;
	FILE *file;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) && !strcmp(name, "shmipc-timer\n")) {
			count++;
			if (tid)
				*tid = (pid_t)atoi(entry->d_name);
		}
		fclose(file);
	}
	closedir(directory);
	return count;
}

/* A field of a thread's status. */
static unsigned long long status_of(pid_t tid, const char *field, int base)
{
	char path[64], line[256];
	unsigned long long value = 0;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, field, strlen(field)))
			continue;
		value = strtoull(line + strlen(field), NULL, base);
		found = true;
	}
	fclose(file);
	assert_true(found);
	return value;
}

static void there_is_no_thread_unless_a_session_asks_for_one(struct pair *pair)
{
	session_pair_open(pair, NULL, NULL);
	assert_int_equal(count_timers(NULL), 0);
}

static void there_is_one_thread_for_all_until_the_last_is_closed(struct pair *pair)
{
	struct sight near = { 0 }, far = { 0 };
	struct shmipc_session_options client = monitored(pair, &near, 1000), server = monitored(pair, &far, 1000);
	int round;

	for (round = 0; round < 20; round++) {
		session_pair_open(pair, &client, &server);
		await(count_timers(NULL) == 1); /* it names itself */
		shmipc_session_close(pair->server);
		pair->server = NULL;
		assert_int_equal(count_timers(NULL), 1);
		session_pair_close(pair);
		await(count_timers(NULL) == 0); /* it is over; /proc may have it for a moment */
	}
	assert_int_equal(near.calls, 20);
	assert_int_equal(far.calls, 20);
	session_pair_close(pair);
}

static void a_monitor_is_called_at_its_pace_with_the_counters(struct pair *pair)
{
	struct sight sight = { 0 };
	struct shmipc_session_options options = monitored(pair, &sight, 30);
	int64_t start = now_ns();
	struct ends ends;

	session_pair_open(pair, &options, NULL);
	ends = ends_open(pair);
	pattern_write(ends.near, 5000, 1);
	pattern_read(ends.far, 5000, 1);
	await(sight.calls >= 4);
	assert_true(sight.first >= start + 30 * 1000000);
	assert_true(sight.least_apart >= 30 * 1000000);
	assert_int_equal(sight.written, 5001);
	assert_code(sight.error, 0);
	assert_int_not_equal(sight.tid, syscall(SYS_gettid));
	ends_close(pair, &ends);
	session_pair_close(pair);
}

static void monitors_of_different_paces_do_not_delay_each_other(struct pair *pair)
{
	struct sight slow = { 0 }, fast = { 0 };
	struct shmipc_session_options client = monitored(pair, &slow, 3600000), server = monitored(pair, &fast, 10);

	session_pair_open(pair, &client, &server);
	await(fast.calls >= 10);
	assert_int_equal(slow.calls, 0);
	session_pair_close(pair);
}

static void the_last_call_comes_at_the_end_and_none_after_it(struct pair *pair)
{
	struct sight sight = { 0 };
	struct shmipc_session_options options = monitored(pair, &sight, 10);

	session_pair_open(pair, &options, NULL);
	await(sight.calls >= 2);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	await(sight.error);
	sleep_ms(60);
	assert_code(sight.error, -ESHUTDOWN);
	shmipc_session_close(pair->client);
	pair->client = NULL;
	assert_true(sight.after_the_end <= 1); /* a call may meet the end just before the last */
	session_pair_close(pair);
}

static void a_dead_peer_is_an_end_too(struct pair *pair)
{
	struct sight sight = { 0 };
	struct shmipc_session_options options = monitored(pair, &sight, 3600000);

	session_pair_open(pair, &options, NULL);
	shmipc_session_close(pair->server);
	pair->server = NULL;
	await((session_look(pair->client), shmipc_session_error(pair->client)));
	await(sight.calls == 1);
	assert_code(sight.error, -EPIPE);
	session_pair_close(pair);
}

static void close_returns_after_the_last_call(struct pair *pair)
{
	struct sight sight = { .delay_ms = 50 };
	struct shmipc_session_options options = monitored(pair, &sight, 3600000);

	session_pair_open(pair, &options, NULL);
	shmipc_session_close(pair->client);
	pair->client = NULL;
	assert_int_equal(sight.calls, 1);
	assert_code(sight.error, -ESHUTDOWN);
	session_pair_close(pair);
}

static void close_waits_for_a_call_that_runs(struct pair *pair)
{
	struct sight sight = { .delay_ms = 100 };
	struct shmipc_session_options options = monitored(pair, &sight, 10);

	session_pair_open(pair, &options, NULL);
	await(sight.running);
	shmipc_session_close(pair->client);
	pair->client = NULL;
	assert_false(sight.running);
	assert_int_equal(sight.calls, 2);      /* that one, and the last */
	assert_true(sight.after_the_end <= 1); /* a call may meet the end just before the last */
	session_pair_close(pair);
}

static void a_monitor_may_close_its_session(struct pair *pair)
{
	struct sight sight = { 0 };
	struct shmipc_session_options options = monitored(pair, &sight, 10);
	int calls;

	session_pair_open(pair, &options, NULL);
	sight.close = pair;
	await(sight.closed);
	await(count_timers(NULL) == 0);
	calls = sight.calls;
	sleep_ms(50);
	assert_int_equal(sight.calls, calls);
	assert_int_equal(sight.error, 0); /* it ended in the last call */
	assert_null(pair->client);
	session_pair_close(pair);
}

static void a_monitor_may_close_another_session_which_gets_its_last_call(struct pair *pair)
{
	struct sight near = { 0 }, far = { 0 };
	struct shmipc_session_options client = monitored(pair, &near, 3600000), server = monitored(pair, &far, 10);

	session_pair_open(pair, &client, &server);
	far.close = pair;
	await(near.calls);
	await(far.calls >= 2);
	assert_int_equal(near.calls, 1);
	assert_code(near.error, -ESHUTDOWN);
	assert_int_equal(near.tid, far.tid);
	session_pair_close(pair);
}

static void a_monitor_may_close_all_there_are_and_new_ones_get_a_thread(struct pair *pair)
{
	struct sight near = { 0 }, far = { .close_server = true }, anew = { 0 };
	struct shmipc_session_options client = monitored(pair, &near, 3600000), server = monitored(pair, &far, 10);
	struct shmipc_session_options again = monitored(pair, &anew, 10);
	int calls;

	session_pair_open(pair, &client, &server);
	far.close = pair;
	await(far.closed);
	await(count_timers(NULL) == 0);
	calls = far.calls;
	session_pair_open(pair, &again, NULL);
	await(anew.calls >= 3);
	assert_int_equal(near.calls, 1);
	assert_int_equal(far.calls, calls);
	session_pair_close(pair);
}

static void the_thread_sleeps_while_nothing_is_due(struct pair *pair)
{
	struct sight sight = { 0 };
	struct shmipc_session_options client = monitored(pair, &sight, 3600000), server = idling(pair, 3600000);
	unsigned long long before;
	pid_t tid = 0;

	session_pair_open(pair, &client, &server);
	await(count_timers(&tid) == 1);
	sleep_ms(50);
	before = status_of(tid, "voluntary_ctxt_switches:", 10);
	sleep_ms(300);
	assert_int_equal(status_of(tid, "voluntary_ctxt_switches:", 10), before);
	session_pair_close(pair);
}

static void the_thread_takes_no_signals(struct pair *pair)
{
	struct sight sight = { 0 };
	struct shmipc_session_options options = monitored(pair, &sight, 1000);
	unsigned long long blocked;
	pid_t tid = 0;

	session_pair_open(pair, &options, NULL);
	await(count_timers(&tid) == 1);
	blocked = status_of(tid, "SigBlk:", 16);
	assert_true(blocked >> (SIGUSR1 - 1) & 1);
	assert_true(blocked >> (SIGCHLD - 1) & 1);
	assert_true(blocked >> (SIGALRM - 1) & 1);
	session_pair_close(pair);
}

static void a_stream_on_which_nothing_moves_is_reset(struct pair *pair)
{
	struct shmipc_session_options options = idling(pair, 60);
	int64_t start;
	struct ends ends;
	char byte;

	session_pair_open(pair, NULL, &options);
	start = now_ns();
	ends = ends_open(pair);
	assert_code(shmipc_stream_read(ends.near, &byte, 1, FAR), -ECONNRESET);
	assert_true(now_ns() >= start + 60 * 1000000);
	assert_int_equal(shmipc_stream_reset_code(ends.near), ETIMEDOUT);
	assert_code(shmipc_stream_write(ends.far, "x", 1, 0, FAR), -ECONNRESET);
	assert_code(shmipc_session_error(pair->server), 0);
	ends_close(pair, &ends);
}

static void an_idle_timeout_wakes_a_thread_that_waits_on_the_stream(struct pair *pair)
{
	struct shmipc_session_options options = idling(pair, 60);
	struct ends ends;
	struct call call;
	char byte;

	session_pair_open(pair, &options, NULL);
	ends = ends_open(pair);
	call_read(&call, ends.near, &byte, 1, SHMIPC_FOREVER);
	assert_code(worker_join(&call.worker), -ECONNRESET);
	ends_close(pair, &ends);
}

static void a_stream_on_which_bytes_move_is_left_alone(struct pair *pair)
{
	struct shmipc_session_options options = idling(pair, 200);
	struct ends sender, receiver;
	int i;

	session_pair_open(pair, &options, &options);
	sender = ends_open(pair);
	receiver = ends_open(pair);
	for (i = 0; i < 100; i++) {
		pattern_write(sender.near, 100, (uint32_t)i);
		pattern_read(sender.far, 100, (uint32_t)i);
		pattern_write(receiver.far, 100, (uint32_t)i);
		pattern_read(receiver.near, 100, (uint32_t)i);
		sleep_ms(10);
	}
	assert_int_equal(session_stats_of(pair->client).streams_reset, 0);
	assert_int_equal(session_stats_of(pair->server).streams_reset, 0);
	shmipc_stream_close(sender.near);
	shmipc_stream_close(sender.far);
	ends_close(pair, &receiver);
}

static void only_the_idle_ones_of_many_streams_are_reset(struct pair *pair)
{
	enum { IDLE = 200 };
	struct shmipc_session_options options = idling(pair, 300);
	struct ends ends[IDLE], busy;
	int64_t until;
	int i;

	session_pair_open(pair, &options, NULL);
	busy = ends_open(pair);
	for (i = 0; i < IDLE; i++)
		ends[i] = ends_open(pair);
	until = FAR;
	while (session_stats_of(pair->client).streams_reset < IDLE) {
		assert_true(now_ns() < until);
		pattern_write(busy.near, 10, 1);
		pattern_read(busy.far, 10, 1);
		sleep_ms(5);
	}
	for (i = 0; i < IDLE; i++) {
		assert_code(shmipc_stream_write(ends[i].near, "x", 1, 0, 0), -ECONNRESET);
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	pattern_write(busy.near, 10, 2);
	pattern_read(busy.far, 10, 2);
	ends_close(pair, &busy);
}

static void a_session_without_an_idle_timeout_keeps_its_streams(struct pair *pair)
{
	struct shmipc_session_options options = idling(pair, 40);
	struct pair other = { .backend = pair->backend };
	struct ends kept, lost;
	char byte;

	session_pair_open(pair, &options, NULL);
	session_pair_open(&other, NULL, NULL);
	lost = ends_open(pair);
	kept = ends_open(&other);
	assert_code(shmipc_stream_read(lost.far, &byte, 1, FAR), -ECONNRESET);
	sleep_ms(100);
	pattern_write(kept.near, 10, 1);
	pattern_read(kept.far, 10, 1);
	ends_close(pair, &lost);
	ends_close(&other, &kept);
	session_pair_close(&other);
}

static void streams_of_an_ended_session_are_no_trouble(struct pair *pair)
{
	enum { STREAMS = 100 };
	struct shmipc_session_options options = idling(pair, 50);
	struct ends ends[STREAMS];
	int i;

	session_pair_open(pair, &options, NULL);
	for (i = 0; i < STREAMS; i++)
		ends[i] = ends_open(pair);
	shmipc_session_shutdown(pair->client);
	sleep_ms(120);
	assert_int_equal(session_stats_of(pair->client).streams_reset, 0);
	for (i = 0; i < STREAMS; i++) {
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	session_pair_close(pair);
}

/* In a forked child. */
struct inheritance {
	struct pair *pair;
	struct sight *sight;
};

static int live_on(void *arg)
{
	struct inheritance *inheritance = arg;
	struct pair own = { .backend = inheritance->pair->backend };
	struct sight sight = { 0 };
	struct shmipc_session_options options = monitored(&own, &sight, 10);
	int calls = inheritance->sight->calls;

	child_check(count_timers(NULL) == 0);
	shmipc_session_close(inheritance->pair->client);
	session_pair_open(&own, &options, NULL);
	await(sight.calls >= 3);
	child_check(count_timers(NULL) == 1);
	session_pair_close(&own);
	await(count_timers(NULL) == 0);
	child_check(inheritance->sight->calls == calls);
	return 0;
}

static void a_forked_child_has_no_such_thread_and_may_have_its_own(struct pair *pair)
{
	struct sight sight = { 0 };
	struct shmipc_session_options options = monitored(pair, &sight, 10);
	struct inheritance inheritance = { pair, &sight };
	int calls, i;

	session_pair_open(pair, &options, NULL);
	for (i = 0; i < 20; i++)
		assert_int_equal(run_forked(live_on, &inheritance), 0);
	calls = sight.calls;
	await(sight.calls > calls + 3);
	session_pair_close(pair);
}

/* Returns in how many sessions the monitor was not called at the end, or after it. */
static int open_and_close(struct worker *worker)
{
	struct pair pair = { .backend = *(enum shmipc_backend *)worker->argument };
	struct shmipc_session_options client, server = idling(&pair, 20);
	int64_t until = soon(3000);
	int i, wrong = 0;

	for (i = 0; i < 100 && now_ns() < until; i++) {
		struct sight sight = { 0 };

		client = monitored(&pair, &sight, 10);
		client.idle_timeout_ms = 20;
		session_pair_open(&pair, &client, &server);
		if (i % 3)
			sleep_ms(i % 17);
		session_pair_close(&pair);
		wrong += !sight.error || sight.after_the_end > 1; /* a call may meet the end just before the last */
	}
	return wrong;
}

static void sessions_come_and_go_in_many_threads(struct pair *pair)
{
	struct worker workers[4] = { 0 };
	int i;

	for (i = 0; i < 4; i++) {
		workers[i] = (struct worker){ .call = open_and_close, .argument = &pair->backend };
		worker_start(&workers[i]);
	}
	for (i = 0; i < 4; i++)
		assert_code(worker_join(&workers[i]), 0);
	await(count_timers(NULL) == 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(there_is_no_thread_unless_a_session_asks_for_one),
		ON_BOTH(there_is_one_thread_for_all_until_the_last_is_closed),
		ON_BOTH(a_monitor_is_called_at_its_pace_with_the_counters),
		ON_BOTH(monitors_of_different_paces_do_not_delay_each_other),
		ON_BOTH(the_last_call_comes_at_the_end_and_none_after_it),
		ON_BOTH(a_dead_peer_is_an_end_too),
		ON_BOTH(close_returns_after_the_last_call),
		ON_BOTH(close_waits_for_a_call_that_runs),
		ON_BOTH(a_monitor_may_close_its_session),
		ON_BOTH(a_monitor_may_close_another_session_which_gets_its_last_call),
		ON_BOTH(a_monitor_may_close_all_there_are_and_new_ones_get_a_thread),
		ON_BOTH(the_thread_sleeps_while_nothing_is_due),
		ON_BOTH(the_thread_takes_no_signals),
		ON_BOTH(a_stream_on_which_nothing_moves_is_reset),
		ON_BOTH(an_idle_timeout_wakes_a_thread_that_waits_on_the_stream),
		ON_BOTH(a_stream_on_which_bytes_move_is_left_alone),
		ON_BOTH(only_the_idle_ones_of_many_streams_are_reset),
		ON_BOTH(a_session_without_an_idle_timeout_keeps_its_streams),
		ON_BOTH(streams_of_an_ended_session_are_no_trouble),
		ON_BOTH_FORKING(a_forked_child_has_no_such_thread_and_may_have_its_own),
		ON_BOTH(sessions_come_and_go_in_many_threads),
	};

	return RUN_TESTS(tests, argc, argv);
}
