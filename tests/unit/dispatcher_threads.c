// SPDX-License-Identifier: Apache-2.0
/*
 * dispatcher_threads.c - tests of a dispatcher's threads and of what it drives: coming, going, and being closed
 */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "server.h"
#include "worker.h"

/* What the tasks of this process with that name say in a line of their status. */
static int count_tasks(const char *name, unsigned long long *blocked)
{
	char path[300], line[300], task[32];
	struct dirent *entry;
	int count = 0;
	FILE *file;
	DIR *tasks = opendir("/proc/self/task");

	assert_non_null(tasks);
	while ((entry = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		task[0] = '\0';
		while (fgets(line, sizeof(line), file)) {
			sscanf(line, "Name: %31s", task);
			if (!strcmp(task, name) && sscanf(line, "SigBlk: %llx", blocked) == 1)
				count++;
		}
		fclose(file);
	}
	closedir(tasks);
	return count;
}

static void threads_have_a_name_and_take_no_signals(struct pair *pair)
{
	struct shmipc_dispatcher *dispatcher;
	unsigned long long blocked = 0;

	(void)pair;
	assert_code(shmipc_dispatcher_create(3, &dispatcher), 0);
	await(count_tasks("shmipc-disp", &blocked) == 3);
	assert_true(blocked & 1ull << (SIGTERM - 1));
	assert_true(blocked & 1ull << (SIGUSR1 - 1));
	assert_true(blocked & 1ull << (SIGALRM - 1));
	shmipc_dispatcher_close(dispatcher);
	await(!count_tasks("shmipc-disp", &blocked));
}

static void no_number_of_threads_means_one_for_each_processor(struct pair *pair)
{
	struct shmipc_dispatcher *dispatcher;
	unsigned long long blocked;
	cpu_set_t set;

	(void)pair;
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	assert_code(shmipc_dispatcher_create(0, &dispatcher), 0);
	await(count_tasks("shmipc-disp", &blocked) == CPU_COUNT(&set));
	shmipc_dispatcher_close(dispatcher);
}

static void too_many_threads_are_refused(struct pair *pair)
{
	struct shmipc_dispatcher *dispatcher = (void *)&pair;

	assert_code(shmipc_dispatcher_create(1025, &dispatcher), -EINVAL);
	assert_null(dispatcher);
	shmipc_dispatcher_close(NULL);
}

static void a_dispatcher_leaves_nothing_behind(struct pair *pair)
{
	struct shmipc_dispatcher *dispatcher;
	int fds = count_fds(), i;

	(void)pair;
	for (i = 0; i < 20; i++) {
		assert_code(shmipc_dispatcher_create(4, &dispatcher), 0);
		shmipc_dispatcher_close(dispatcher);
	}
	assert_int_equal(count_fds(), fds);
}

static void threads_with_nothing_to_do_sleep(struct pair *pair)
{
	struct server server = { 0 };
	struct shmipc_pool *pool;
	struct shmipc_pool_options options = pool_options(pair);
	struct timespec before, after;
	long ns;

	options.idle_ms = 0;
	server_start(&server, pair, 4, -1);
	assert_code(shmipc_pool_create(server.address, &options, &pool), 0);
	assert_code(pool_echo(pool, 1), 0);
	sleep_ms(50);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	sleep_ms(400);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	ns = (after.tv_sec - before.tv_sec) * 1000000000 + (after.tv_nsec - before.tv_nsec);
	if (ns > 20000000)
		fail_msg("%ld us of processor time in 400 ms of rest", ns / 1000);
	shmipc_pool_close(pool);
	server_stop(&server);
}

/* A session of which this test drives the server's side. */
struct sides {
	struct shmipc_session *client, *server;
	struct shmipc_stream *near;
	_Atomic int bytes, ended, inside;
	_Atomic bool go_on;
};

static void note_bytes(struct shmipc_stream *stream, void *arg)
{
	struct sides *sides = arg;
	char bytes[16];
	ssize_t n;

	while ((n = shmipc_stream_read(stream, bytes, sizeof(bytes), 0)) > 0)
		sides->bytes += (int)n;
}

static void hold_on(struct shmipc_stream *stream, void *arg)
{
	struct sides *sides = arg;

	sides->inside++;
	while (!sides->go_on)
		sleep_ms(1);
	note_bytes(stream, arg);
	sides->inside--;
}

static void close_ended(struct shmipc_stream *stream, int reason, void *arg)
{
	struct sides *sides = arg;

	(void)reason;
	shmipc_stream_close(stream);
	sides->ended++;
}

static void note_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	static const struct shmipc_stream_callbacks callbacks = { .on_readable = note_bytes, .on_end = close_ended };

	(void)session;
	shmipc_stream_set_callbacks(stream, &callbacks, arg);
}

static void hold_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	static const struct shmipc_stream_callbacks callbacks = { .on_readable = hold_on, .on_end = close_ended };

	(void)session;
	shmipc_stream_set_callbacks(stream, &callbacks, arg);
}

static void open_sides(struct sides *sides, const struct pair *pair,
		       void (*on_stream)(struct shmipc_session *session, struct shmipc_stream *stream, void *arg))
{
	struct shmipc_session_callbacks callbacks = { .on_stream = on_stream };

	memset(sides, 0, sizeof(*sides));
	server_sessions(pair, &sides->client, &sides->server);
	assert_code(shmipc_session_set_callbacks(sides->server, &callbacks, sides), 0);
	assert_code(shmipc_stream_open(sides->client, &sides->near), 0);
}

static void close_sides(struct sides *sides)
{
	shmipc_stream_close(sides->near);
	shmipc_session_close(sides->client);
	shmipc_session_close(sides->server);
}

static void write_byte(struct sides *sides)
{
	assert_code(shmipc_stream_write(sides->near, "x", 1, 0, FAR), 1);
}

static void what_arrived_before_a_session_is_driven_is_reported(struct pair *pair)
{
	struct shmipc_dispatcher *dispatcher;
	struct sides sides;

	open_sides(&sides, pair, note_stream);
	write_byte(&sides);
	assert_code(shmipc_dispatcher_create(2, &dispatcher), 0);
	assert_code(shmipc_dispatcher_add_session(dispatcher, sides.server), 0);
	await(sides.bytes == 1);
	shmipc_stream_close(sides.near);
	sides.near = NULL;
	await(sides.ended == 1);
	close_sides(&sides);
	shmipc_dispatcher_close(dispatcher);
}

static void a_session_is_driven_by_one_dispatcher_at_a_time(struct pair *pair)
{
	struct shmipc_dispatcher *first, *second;
	struct sides sides;

	assert_code(shmipc_dispatcher_create(1, &first), 0);
	assert_code(shmipc_dispatcher_create(1, &second), 0);
	open_sides(&sides, pair, note_stream);
	assert_code(shmipc_dispatcher_add_session(first, sides.server), 0);
	assert_code(shmipc_dispatcher_add_session(first, sides.server), -EALREADY);
	assert_code(shmipc_dispatcher_add_session(second, sides.server), -EALREADY);
	write_byte(&sides);
	await(sides.bytes == 1);
	/* The session lives on, undriven, and another one may take it over. */
	shmipc_dispatcher_close(first);
	write_byte(&sides);
	sleep_ms(30);
	assert_int_equal(sides.bytes, 1);
	assert_code(shmipc_dispatcher_add_session(second, sides.server), 0);
	await(sides.bytes == 2);
	shmipc_stream_close(sides.near);
	sides.near = NULL;
	await(sides.ended == 1);
	close_sides(&sides);
	shmipc_dispatcher_close(second);
}

static void a_session_that_has_ended_is_not_driven(struct pair *pair)
{
	struct shmipc_dispatcher *dispatcher;
	struct sides sides;

	assert_code(shmipc_dispatcher_create(1, &dispatcher), 0);
	open_sides(&sides, pair, note_stream);
	shmipc_session_shutdown(sides.server);
	assert_code(shmipc_dispatcher_add_session(dispatcher, sides.server), -ESHUTDOWN);
	close_sides(&sides);
	shmipc_dispatcher_close(dispatcher);
}

static void *go_on_soon(void *argument)
{
	struct sides *sides = argument;

	sleep_ms(50);
	sides->go_on = true;
	return NULL;
}

static void close_waits_for_callbacks_that_run_and_calls_no_more(struct pair *pair)
{
	struct shmipc_dispatcher *dispatcher;
	struct shmipc_stream *other;
	struct sides sides;
	pthread_t thread;
	int bytes;

	assert_code(shmipc_dispatcher_create(1, &dispatcher), 0);
	open_sides(&sides, pair, hold_stream);
	assert_code(shmipc_dispatcher_add_session(dispatcher, sides.server), 0);
	write_byte(&sides);
	await(sides.inside == 1);
	assert_code(shmipc_stream_open(sides.client, &other), 0);
	assert_code(shmipc_stream_write(other, "y", 1, 0, FAR), 1);
	assert_int_equal(pthread_create(&thread, NULL, go_on_soon, &sides), 0);
	shmipc_dispatcher_close(dispatcher);
	assert_int_equal(sides.inside, 0);
	bytes = sides.bytes;
	assert_int_equal(bytes, 1);
	write_byte(&sides);
	sleep_ms(30);
	assert_int_equal(sides.bytes, bytes);
	pthread_join(thread, NULL);
	/* What it left undone is done by whoever drives the session next. */
	shmipc_stream_close(other);
	shmipc_stream_close(sides.near);
	sides.near = NULL;
	await((shmipc_session_process(sides.server), sides.ended == 2));
	assert_int_equal(sides.bytes, 3);
	close_sides(&sides);
}

#define CHURNERS 4
#define ROUNDS (TESTS_TSAN ? 15 : 60)

struct churn {
	const struct pair *pair;
	struct shmipc_dispatcher *dispatcher;
	pthread_t thread;
	unsigned int seed;
	struct sides sides[ROUNDS];
};

/* Sessions come, get some work, and are closed by either side in the middle of it. */
static void *come_and_go(void *argument)
{
	struct churn *churn = argument;
	struct sides *sides;
	int i, j;

	for (i = 0; i < ROUNDS; i++) {
		sides = &churn->sides[i];
		open_sides(sides, churn->pair, note_stream);
		assert_code(shmipc_dispatcher_add_session(churn->dispatcher, sides->server), 0);
		for (j = rand_r(&churn->seed) % 20; j > 0; j--)
			write_byte(sides);
		if (rand_r(&churn->seed) % 3) {
			shmipc_stream_close(sides->near);
			sides->near = NULL;
		}
		if (rand_r(&churn->seed) % 2) {
			shmipc_session_close(sides->client);
			sides->client = NULL;
		}
		if (rand_r(&churn->seed) % 2)
			sched_yield();
		close_sides(sides);
	}
	return NULL;
}

static void sessions_may_be_closed_at_any_time(struct pair *pair)
{
	struct churn *churns = calloc(CHURNERS, sizeof(*churns));
	struct shmipc_dispatcher *dispatcher;
	int i, mappings = count_lane_mappings();

	assert_non_null(churns);
	assert_code(shmipc_dispatcher_create(3, &dispatcher), 0);
	for (i = 0; i < CHURNERS; i++) {
		churns[i].pair = pair;
		churns[i].dispatcher = dispatcher;
		churns[i].seed = (unsigned int)i + 1;
		assert_int_equal(pthread_create(&churns[i].thread, NULL, come_and_go, &churns[i]), 0);
	}
	for (i = 0; i < CHURNERS; i++)
		pthread_join(churns[i].thread, NULL);
	/* Streams whose sessions are closed are told their end, and close. */
	await(count_lane_mappings() == mappings);
	shmipc_dispatcher_close(dispatcher);
	free(churns);
}

static int use_in_child(void *argument)
{
	struct shmipc_dispatcher *dispatcher = argument;

	child_check(shmipc_dispatcher_add_session(dispatcher, NULL) == -EPERM);
	child_check(shmipc_dispatcher_add_listener(dispatcher, NULL, NULL, NULL) == -EPERM);
	child_check(shmipc_dispatcher_remove_listener(dispatcher, NULL) == -EPERM);
	shmipc_dispatcher_close(dispatcher);
	return 0;
}

static void a_forked_child_has_no_dispatcher_and_may_close_it(struct pair *pair)
{
	struct shmipc_dispatcher *dispatcher;
	struct sides sides;

	assert_code(shmipc_dispatcher_create(2, &dispatcher), 0);
	open_sides(&sides, pair, note_stream);
	assert_code(shmipc_dispatcher_add_session(dispatcher, sides.server), 0);
	write_byte(&sides);
	await(sides.bytes == 1);
	assert_int_equal(run_forked(use_in_child, dispatcher), 0);
	write_byte(&sides);
	await(sides.bytes == 2);
	shmipc_stream_close(sides.near);
	sides.near = NULL;
	await(sides.ended == 1);
	close_sides(&sides);
	shmipc_dispatcher_close(dispatcher);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(threads_have_a_name_and_take_no_signals),
		ALONE(no_number_of_threads_means_one_for_each_processor),
		ALONE(too_many_threads_are_refused),
		ALONE(a_dispatcher_leaves_nothing_behind),
		ON_BOTH(threads_with_nothing_to_do_sleep),
		ON_BOTH(what_arrived_before_a_session_is_driven_is_reported),
		ON_BOTH(a_session_is_driven_by_one_dispatcher_at_a_time),
		ON_BOTH(a_session_that_has_ended_is_not_driven),
		ON_BOTH(close_waits_for_callbacks_that_run_and_calls_no_more),
		ON_BOTH(sessions_may_be_closed_at_any_time),
		ON_BOTH_FORKING(a_forked_child_has_no_dispatcher_and_may_close_it),
	};

	return RUN_TESTS(tests, argc, argv);
}
