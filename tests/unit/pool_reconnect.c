// SPDX-License-Identifier: Apache-2.0
/*
 * pool_reconnect.c - tests of a pool whose server goes and comes back
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "server.h"
#include "worker.h"

static struct shmipc_pool *open_pool(const char *address, const struct shmipc_pool_options *options)
{
	struct shmipc_pool *pool = NULL;

	assert_code(shmipc_pool_create(address, options, &pool), 0);
	return pool;
}

static void end_last_session(struct server *server)
{
	assert_code(shmipc_session_shutdown(server->last_session), 0);
}

static void a_session_that_the_server_closed_is_connected_anew(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct server server = { 0 };
	struct shmipc_pool *pool;
	int i;

	server_start(&server, pair, 1, -1);
	pool = open_pool(server.address, &options);
	for (i = 1; i <= 3; i++) {
		assert_code(pool_echo(pool, 1), 0);
		server_act(&server, pair, end_last_session);
		/* Nobody calls the pool: it notices by itself. */
		await(pool_stats_of(pool).reconnects == (uint64_t)i);
		assert_int_equal(pool_stats_of(pool).idle, 0);
		assert_code(pool_echo(pool, 2), 0);
	}
	assert_int_equal(server.accepted, 4);
	shmipc_pool_close(pool);
	server_stop(&server);
}

static void a_killed_server_is_noticed_and_used_again_when_it_is_back(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_stream *stream;
	struct shmipc_pool *pool;
	char address[64], byte;
	pid_t pid;
	int i;

	server_name(address);
	pid = server_spawn(pair, address);
	options.sessions = 3;
	pool = open_pool(address, &options);
	for (i = 0; i < 2; i++) {
		assert_code(shmipc_pool_get(pool, &stream, FAR), 0);
		assert_code(server_echo(stream, 1, 100), 0);
		server_kill(pid);
		await(!pool_stats_of(pool).sessions);
		assert_code(shmipc_stream_read(stream, &byte, 1, FAR), -EPIPE);
		assert_code(shmipc_pool_put(pool, stream), 0);
		assert_code(shmipc_pool_get(pool, &stream, 0), -EAGAIN);
		assert_null(stream);
		assert_code(shmipc_pool_get(pool, &stream, soon(30)), -ETIMEDOUT);
		pid = server_spawn(pair, address);
		assert_code(pool_echo(pool, 2), 0);
		await(pool_stats_of(pool).sessions == 3);
		assert_int_equal(pool_stats_of(pool).reconnects, 3 * (i + 1));
		assert_true(pool_stats_of(pool).retries > 0);
	}
	shmipc_pool_close(pool);
	server_kill(pid);
}

struct echoing {
	struct shmipc_pool *pool;
	pthread_t thread;
	int result;
};

static void *echo_once(void *argument)
{
	struct echoing *echoing = argument;

	echoing->result = pool_echo(echoing->pool, 5);
	return NULL;
}

static void many_that_wait_for_a_session_make_one_connection(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct echoing echoing[30];
	struct server server = { 0 };
	struct shmipc_pool *pool;
	char address[64];
	pid_t pid;
	int i;

	server_name(address);
	pid = server_spawn(pair, address);
	pool = open_pool(address, &options);
	server_kill(pid);
	await(!pool_stats_of(pool).sessions);
	for (i = 0; i < 30; i++) {
		echoing[i] = (struct echoing){ .pool = pool, .result = 1 };
		assert_int_equal(pthread_create(&echoing[i].thread, NULL, echo_once, &echoing[i]), 0);
	}
	strcpy(server.address, address);
	server_start(&server, pair, 2, -1);
	for (i = 0; i < 30; i++) {
		pthread_join(echoing[i].thread, NULL);
		assert_code(echoing[i].result, 0);
	}
	assert_int_equal(server.accepted, 1);
	await(pool_stats_of(pool).reconnects == 1);
	shmipc_pool_close(pool);
	server_stop(&server);
}

static void tries_to_connect_become_rarer(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_pool *pool;
	char address[64];
	uint64_t retries;
	pid_t pid;

	server_name(address);
	pid = server_spawn(pair, address);
	options.retry_min_ms = 40;
	options.retry_max_ms = 3600000;
	pool = open_pool(address, &options);
	server_kill(pid);
	await(pool_stats_of(pool).retries >= 2); /* at once, both */
	sleep_ms(700);
	/* After 20 to 40 ms, 40 to 80 more, 80 to 160, 160 to 320, 320 to 640. */
	retries = pool_stats_of(pool).retries;
	assert_in_range(retries, 3, 8);
	shmipc_pool_close(pool);
}

static void expect_prompt_close(struct pair *pair, int backlog)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_pool *pool;
	char address[64];
	int64_t began;
	int silent;
	pid_t pid;

	server_name(address);
	pid = server_spawn(pair, address);
	options.sessions = 3;
	options.connect_ms = 3600000;
	pool = open_pool(address, &options);
	server_kill(pid);
	silent = server_silent(address, backlog);
	await(!pool_stats_of(pool).sessions);
	sleep_ms(100); /* it is in the middle of a handshake, or waits for one */
	began = now_ns();
	shmipc_pool_close(pool);
	assert_true(now_ns() - began < 5000000000ll);
	close(silent);
}

static void close_does_not_wait_for_a_server_that_says_nothing(struct pair *pair)
{
	expect_prompt_close(pair, 10);
}

static void close_does_not_wait_for_a_server_that_does_not_accept(struct pair *pair)
{
	expect_prompt_close(pair, 0);
}

static void a_stopped_server_is_no_dead_one(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_stream *stream;
	struct shmipc_pool *pool;
	char address[64];
	int status;
	pid_t pid;

	server_name(address);
	pid = server_spawn(pair, address);
	pool = open_pool(address, &options);
	assert_code(pool_echo(pool, 1), 0);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_code(shmipc_pool_get(pool, &stream, FAR), 0);
	assert_code(shmipc_stream_write(stream, "?", 1, 0, FAR), 1);
	assert_code(shmipc_stream_wait(stream, SHMIPC_READABLE, soon(100)), -ETIMEDOUT);
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_code(shmipc_stream_wait(stream, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	assert_code(shmipc_pool_put(pool, stream), 0);
	assert_int_equal(pool_stats_of(pool).reconnects, 0);
	shmipc_pool_close(pool);
	server_kill(pid);
}

static int use_in_child(void *argument)
{
	struct shmipc_pool_stats stats = { .size = sizeof(stats) };
	struct shmipc_pool *pool = argument;
	struct shmipc_stream *stream;

	child_check(shmipc_pool_get(pool, &stream, SHMIPC_FOREVER) == -EPERM);
	child_check(stream == NULL);
	child_check(shmipc_pool_stats(pool, &stats) == -EPERM);
	shmipc_pool_close(pool);
	return 0;
}

static void a_forked_child_has_no_pool_and_may_close_it(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct server server = { 0 };
	struct shmipc_pool *pool;

	options.sessions = 2;
	server_start(&server, pair, 2, -1);
	pool = open_pool(server.address, &options);
	assert_code(pool_echo(pool, 1), 0);
	assert_int_equal(run_forked(use_in_child, pool), 0);
	assert_code(pool_echo(pool, 2), 0);
	assert_int_equal(pool_stats_of(pool).reconnects, 0);
	shmipc_pool_close(pool);
	server_stop(&server);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_session_that_the_server_closed_is_connected_anew),
		ON_BOTH(a_killed_server_is_noticed_and_used_again_when_it_is_back),
		ON_BOTH(many_that_wait_for_a_session_make_one_connection),
		ON_BOTH(tries_to_connect_become_rarer),
		ON_BOTH(close_does_not_wait_for_a_server_that_says_nothing),
		ON_BOTH(close_does_not_wait_for_a_server_that_does_not_accept),
		ON_BOTH(a_stopped_server_is_no_dead_one),
		ON_BOTH_FORKING(a_forked_child_has_no_pool_and_may_close_it),
	};

	server_main(argc, argv);
	return RUN_TESTS(tests, argc, argv);
}
