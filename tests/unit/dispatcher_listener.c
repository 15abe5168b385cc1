// SPDX-License-Identifier: Apache-2.0
/*
 * dispatcher_listener.c - tests of a dispatcher that accepts sessions
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

struct fixture {
	char address[64];
	struct shmipc_listener *listener;
	struct shmipc_dispatcher *dispatcher;
	struct shmipc_session_options options;
	_Atomic int sessions, inside;
	_Atomic bool hold, removed;
	_Atomic int removal;
};

static void open_all(struct fixture *f, const struct pair *pair, unsigned int threads)
{
	struct shmipc_listener_options options = server_options(pair);

	memset(f, 0, sizeof(*f));
	f->options = options.session;
	server_name(f->address);
	assert_code(shmipc_listener_create(f->address, &options, &f->listener), 0);
	assert_code(shmipc_dispatcher_create(threads, &f->dispatcher), 0);
}

static void close_all(struct fixture *f)
{
	shmipc_dispatcher_close(f->dispatcher);
	shmipc_listener_close(f->listener);
}

static void count_session(struct shmipc_listener *listener, struct shmipc_session *session, void *arg)
{
	struct fixture *f = arg;

	(void)listener;
	f->inside++;
	f->sessions++;
	while (f->hold)
		sleep_ms(1);
	shmipc_session_close(session);
	f->inside--;
}

static void connect_one(struct fixture *f)
{
	struct shmipc_session *session;

	assert_code(shmipc_session_connect(f->address, &f->options, FAR, &session), 0);
	shmipc_session_close(session);
}

static void sessions_are_handed_out_until_the_listener_is_removed(struct pair *pair)
{
	struct fixture f;
	int i;

	open_all(&f, pair, 2);
	assert_code(shmipc_dispatcher_remove_listener(f.dispatcher, f.listener), -ENOENT);
	assert_code(shmipc_dispatcher_add_listener(f.dispatcher, f.listener, count_session, &f), 0);
	assert_code(shmipc_dispatcher_add_listener(f.dispatcher, f.listener, count_session, &f), -EALREADY);
	for (i = 0; i < 10; i++)
		connect_one(&f);
	await(f.sessions == 10);
	assert_code(shmipc_dispatcher_remove_listener(f.dispatcher, f.listener), 0);
	assert_code(shmipc_dispatcher_remove_listener(f.dispatcher, f.listener), -ENOENT);
	assert_int_equal(f.inside, 0);
	/* And again, after it was added again. */
	assert_code(shmipc_dispatcher_add_listener(f.dispatcher, f.listener, count_session, &f), 0);
	connect_one(&f);
	await(f.sessions == 11);
	close_all(&f);
}

static void *let_go_soon(void *argument)
{
	struct fixture *f = argument;

	sleep_ms(50);
	f->hold = false;
	return NULL;
}

static void remove_waits_for_a_callback_that_runs(struct pair *pair)
{
	pthread_t thread;
	struct fixture f;

	open_all(&f, pair, 2);
	f.hold = true;
	assert_code(shmipc_dispatcher_add_listener(f.dispatcher, f.listener, count_session, &f), 0);
	connect_one(&f);
	await(f.inside == 1);
	assert_int_equal(pthread_create(&thread, NULL, let_go_soon, &f), 0);
	assert_code(shmipc_dispatcher_remove_listener(f.dispatcher, f.listener), 0);
	assert_int_equal(f.inside, 0);
	assert_false(f.hold);
	pthread_join(thread, NULL);
	close_all(&f);
}

static void a_callback_that_takes_its_time_holds_up_no_other_session(struct pair *pair)
{
	struct fixture f;

	open_all(&f, pair, 3);
	f.hold = true;
	assert_code(shmipc_dispatcher_add_listener(f.dispatcher, f.listener, count_session, &f), 0);
	connect_one(&f);
	await(f.inside == 1);
	connect_one(&f);
	await(f.inside == 2);
	f.hold = false;
	await(!f.inside);
	close_all(&f);
}

static void remove_within(struct shmipc_listener *listener, struct shmipc_session *session, void *arg)
{
	struct fixture *f = arg;

	shmipc_session_close(session);
	f->removal = shmipc_dispatcher_remove_listener(f->dispatcher, listener);
	f->removed = true;
}

static void a_callback_may_remove_its_listener(struct pair *pair)
{
	struct fixture f;

	open_all(&f, pair, 1);
	f.removal = 1;
	assert_code(shmipc_dispatcher_add_listener(f.dispatcher, f.listener, remove_within, &f), 0);
	connect_one(&f);
	await(f.removed);
	assert_code(f.removal, 0);
	assert_code(shmipc_dispatcher_remove_listener(f.dispatcher, f.listener), -ENOENT);
	close_all(&f);
}

static void a_listener_that_was_shut_down_costs_no_time(struct pair *pair)
{
	struct timespec before, after;
	struct fixture f;
	long ns;

	open_all(&f, pair, 2);
	assert_code(shmipc_dispatcher_add_listener(f.dispatcher, f.listener, count_session, &f), 0);
	connect_one(&f);
	await(f.sessions == 1);
	assert_code(shmipc_listener_shutdown(f.listener), 0);
	sleep_ms(50);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	sleep_ms(200);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	ns = (after.tv_sec - before.tv_sec) * 1000000000 + (after.tv_nsec - before.tv_nsec);
	assert_in_range(ns, 0, 20000000);
	assert_code(shmipc_dispatcher_remove_listener(f.dispatcher, f.listener), 0);
	close_all(&f);
}

static void the_listener_may_be_closed_before_the_dispatcher(struct pair *pair)
{
	struct fixture f;

	open_all(&f, pair, 2);
	assert_code(shmipc_dispatcher_add_listener(f.dispatcher, f.listener, count_session, &f), 0);
	connect_one(&f);
	await(f.sessions == 1);
	assert_code(shmipc_listener_shutdown(f.listener), 0);
	assert_code(shmipc_dispatcher_remove_listener(f.dispatcher, f.listener), 0);
	shmipc_listener_close(f.listener);
	shmipc_dispatcher_close(f.dispatcher);
}

static void one_dispatcher_serves_several_listeners_and_many_clients(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_pool *pools[6];
	struct server a = { 0 }, b = { 0 };
	int i, round;

	options.sessions = 3;
	server_start(&a, pair, 2, -1);
	server_start(&b, pair, 2, -1);
	for (i = 0; i < 6; i++)
		assert_code(shmipc_pool_create(i % 2 ? a.address : b.address, &options, &pools[i]), 0);
	for (round = 0; round < 20; round++)
		for (i = 0; i < 6; i++)
			assert_code(pool_echo(pools[i], (uint32_t)(round + i)), 0);
	for (i = 0; i < 6; i++)
		shmipc_pool_close(pools[i]);
	assert_int_equal(a.accepted, 9);
	assert_int_equal(b.accepted, 9);
	server_stop(&a);
	server_stop(&b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(sessions_are_handed_out_until_the_listener_is_removed),
		ON_BOTH(remove_waits_for_a_callback_that_runs),
		ON_BOTH(a_callback_that_takes_its_time_holds_up_no_other_session),
		ON_BOTH(a_callback_may_remove_its_listener),
		ON_BOTH(a_listener_that_was_shut_down_costs_no_time),
		ON_BOTH(the_listener_may_be_closed_before_the_dispatcher),
		ON_BOTH(one_dispatcher_serves_several_listeners_and_many_clients),
	};

	return RUN_TESTS(tests, argc, argv);
}
