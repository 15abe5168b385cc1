// SPDX-License-Identifier: Apache-2.0
/*
 * pool_restart.c - tests of hot restart, from the client's side: a pool follows its server to a new process
 *
 * Old and new server are two listeners of this process on one socket, which is what the new process would have.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

#define EPOCH 1024

struct fixture {
	const struct pair *pair;
	struct server servers[2];
	struct server *old, *new;
	struct shmipc_pool *pool;
};

static void open_with(struct fixture *f, const struct pair *pair, const struct shmipc_pool_options *options)
{
	memset(f, 0, sizeof(*f));
	f->pair = pair;
	f->old = &f->servers[0];
	f->new = &f->servers[1];
	server_start(f->old, pair, 1, -1);
	assert_code(shmipc_pool_create(f->old->address, options, &f->pool), 0);
}

static void open_default(struct fixture *f, const struct pair *pair, uint32_t sessions)
{
	struct shmipc_pool_options options = pool_options(pair);

	options.sessions = sessions;
	open_with(f, pair, &options);
}

static void start_new(struct fixture *f)
{
	strcpy(f->new->address, f->old->address);
	server_start(f->new, f->pair, 2, dup(shmipc_listener_socket(f->old->listener)));
}

static struct shmipc_restart_progress progress_of(struct server *server)
{
	struct shmipc_restart_progress progress;

	memset(&progress, 0xa5, sizeof(progress));
	assert_code(shmipc_listener_restart_progress(server->listener, &progress), 0);
	return progress;
}

static void stop_old(struct fixture *f)
{
	server_stop(f->old);
}

static void idle_clients_follow_a_restart(struct pair *pair)
{
	struct shmipc_restart_progress progress;
	struct fixture f;

	open_default(&f, pair, 4);
	start_new(&f);
	assert_int_equal(progress_of(f.old).state, SHMIPC_RESTART_NONE);
	assert_code(shmipc_listener_restart(f.old->listener, EPOCH, FAR), 0);
	await(progress_of(f.old).state != SHMIPC_RESTART_ACTIVE);
	progress = progress_of(f.old);
	assert_int_equal(progress.state, SHMIPC_RESTART_DONE);
	assert_int_equal(progress.epoch, EPOCH);
	assert_int_equal(progress.asked, 4);
	assert_int_equal(progress.renewed, 4);
	assert_int_equal(progress.gone + progress.failed, 0);
	/* Nothing was out: the old sessions go by themselves. */
	stop_old(&f);
	assert_int_equal(f.new->accepted, 4);
	assert_int_equal(pool_stats_of(f.pool).restarts, 4);
	assert_int_equal(pool_stats_of(f.pool).reconnects, 0);
	assert_code(pool_echo(f.pool, 1), 0);
	shmipc_pool_close(f.pool);
	server_stop(f.new);
}

static void a_stream_that_is_out_stays_with_the_old_server_until_it_is_given_back(struct pair *pair)
{
	struct shmipc_stream *old, *idle, *new;
	struct fixture f;

	open_default(&f, pair, 1);
	assert_code(shmipc_pool_get(f.pool, &old, FAR), 0);
	assert_code(shmipc_pool_get(f.pool, &idle, FAR), 0);
	assert_code(server_echo(old, 1, 100), 0);
	assert_code(server_echo(idle, 2, 100), 0);
	assert_code(shmipc_pool_put(f.pool, idle), 1);
	start_new(&f);
	assert_code(shmipc_listener_restart(f.old->listener, EPOCH, FAR), 0);
	await(progress_of(f.old).state == SHMIPC_RESTART_DONE);
	await(f.old->streams == 1); /* the idle one was closed */
	assert_code(shmipc_pool_get(f.pool, &new, FAR), 0);
	assert_ptr_not_equal(shmipc_stream_session(new), shmipc_stream_session(old));
	assert_code(server_echo(new, 3, 100), 0);
	assert_code(server_echo(old, 4, 100), 0);
	assert_int_equal(f.new->streams, 1);
	assert_int_equal(f.old->sessions, 1);
	assert_code(shmipc_pool_put(f.pool, old), 0);
	stop_old(&f);
	assert_code(shmipc_pool_put(f.pool, new), 1);
	assert_int_equal(pool_stats_of(f.pool).taken, 0);
	shmipc_pool_close(f.pool);
	server_stop(f.new);
}

static void a_renewed_session_ends_too_when_its_last_stream_is_closed_directly(struct pair *pair)
{
	struct shmipc_stream *stream;
	struct fixture f;

	open_default(&f, pair, 1);
	assert_code(shmipc_pool_get(f.pool, &stream, FAR), 0);
	assert_code(server_echo(stream, 1, 100), 0);
	start_new(&f);
	assert_code(shmipc_listener_restart(f.old->listener, EPOCH, FAR), 0);
	await(progress_of(f.old).state == SHMIPC_RESTART_DONE);
	assert_int_equal(f.old->sessions, 1);
	shmipc_stream_close(stream);
	stop_old(&f);
	shmipc_pool_close(f.pool);
	server_stop(f.new);
}

static void where_the_new_server_does_not_come_up_the_old_one_goes_on(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_restart_progress progress;
	struct shmipc_stream *stream;
	struct fixture f;

	options.sessions = 2;
	options.connect_ms = 4000; /* the next attempt is to succeed within it, on a busy host too */
	open_with(&f, pair, &options);
	assert_code(shmipc_pool_get(f.pool, &stream, FAR), 0);
	assert_code(server_echo(stream, 1, 100), 0);
	/* Connections are made, and nobody takes them. */
	assert_code(shmipc_listener_restart(f.old->listener, EPOCH, FAR), 0);
	assert_code(pool_echo(f.pool, 2), 0);
	await(progress_of(f.old).state != SHMIPC_RESTART_ACTIVE);
	progress = progress_of(f.old);
	assert_int_equal(progress.state, SHMIPC_RESTART_FAILED);
	assert_int_equal(progress.asked, 2);
	assert_int_equal(progress.failed, 2);
	assert_int_equal(progress.renewed, 0);
	assert_code(server_echo(stream, 3, 100), 0);
	assert_code(shmipc_pool_put(f.pool, stream), 1);
	assert_code(pool_echo(f.pool, 4), 0);
	assert_int_equal(pool_stats_of(f.pool).restarts, 0);
	assert_int_equal(pool_stats_of(f.pool).reconnects, 0);
	assert_int_equal(pool_stats_of(f.pool).sessions, 2);
	/* And the next attempt succeeds. */
	start_new(&f);
	assert_code(shmipc_listener_restart(f.old->listener, EPOCH + 1, FAR), 0);
	await(progress_of(f.old).state == SHMIPC_RESTART_DONE);
	assert_int_equal(progress_of(f.old).epoch, EPOCH + 1);
	stop_old(&f);
	assert_code(pool_echo(f.pool, 5), 0);
	shmipc_pool_close(f.pool);
	server_stop(f.new);
}

static void a_new_server_that_is_late_is_waited_for(struct pair *pair)
{
	struct fixture f;

	open_default(&f, pair, 2);
	assert_code(shmipc_listener_restart(f.old->listener, EPOCH, FAR), 0);
	sleep_ms(50);
	assert_int_equal(progress_of(f.old).state, SHMIPC_RESTART_ACTIVE);
	start_new(&f);
	await(progress_of(f.old).state == SHMIPC_RESTART_DONE);
	stop_old(&f);
	assert_code(pool_echo(f.pool, 1), 0);
	shmipc_pool_close(f.pool);
	server_stop(f.new);
}

static void end_last_session_in_a_restart(struct server *server)
{
	assert_code(shmipc_listener_restart(server->listener, EPOCH, FAR), 0);
	assert_code(shmipc_session_shutdown(server->last_session), 0);
}

static void a_server_that_dies_in_the_middle_of_a_restart_is_replaced_all_the_same(struct pair *pair)
{
	struct fixture f;

	open_default(&f, pair, 1);
	assert_code(pool_echo(f.pool, 1), 0);
	server_act(f.old, pair, end_last_session_in_a_restart);
	start_new(&f);
	assert_code(pool_echo(f.pool, 2), 0);
	assert_int_equal(f.new->accepted, 1);
	stop_old(&f);
	shmipc_pool_close(f.pool);
	server_stop(f.new);
}

#define LOADERS 6

struct loader {
	struct shmipc_pool *pool;
	_Atomic bool *stop;
	pthread_t thread;
	_Atomic int done;
	int failed, error;
};

static void *load(void *argument)
{
	struct loader *loader = argument;
	int r;

	while (!*loader->stop) {
		r = pool_echo(loader->pool, (uint32_t)loader->done);
		if (r) {
			loader->failed++;
			loader->error = r;
		}
		loader->done++;
	}
	return NULL;
}

static void await_progress(struct loader *loaders, int more)
{
	int i, target[LOADERS];

	for (i = 0; i < LOADERS; i++)
		target[i] = loaders[i].done + more;
	for (i = 0; i < LOADERS; i++)
		await(loaders[i].done >= target[i]);
}

static void restarts_under_load_lose_nothing(struct pair *pair)
{
	struct loader loaders[LOADERS];
	_Atomic bool stop = false;
	struct fixture f;
	int i, round;

	open_default(&f, pair, 3);
	for (i = 0; i < LOADERS; i++) {
		loaders[i] = (struct loader){ .pool = f.pool, .stop = &stop };
		assert_int_equal(pthread_create(&loaders[i].thread, NULL, load, &loaders[i]), 0);
	}
	for (round = 1; round <= 4; round++) {
		await_progress(loaders, 20);
		start_new(&f);
		assert_code(shmipc_listener_restart(f.old->listener, (uint64_t)round, FAR), 0);
		await(progress_of(f.old).state == SHMIPC_RESTART_DONE);
		assert_int_equal(progress_of(f.old).renewed, 3);
		await_progress(loaders, 20);
		stop_old(&f);
		memset(f.old, 0, sizeof(*f.old));
		f.new = f.old;
		f.old = &f.servers[round % 2];
	}
	stop = true;
	for (i = 0; i < LOADERS; i++) {
		pthread_join(loaders[i].thread, NULL);
		if (loaders[i].failed)
			fail_msg("%d of %d requests failed, with %d", loaders[i].failed, loaders[i].done,
				 loaders[i].error);
	}
	assert_int_equal(pool_stats_of(f.pool).restarts, 3 * 4);
	assert_int_equal(pool_stats_of(f.pool).reconnects, 0);
	shmipc_pool_close(f.pool);
	stop_old(&f);
}

struct asked {
	_Atomic uint64_t epoch;
	_Atomic int times;
};

static void note_restart(struct shmipc_session *session, uint64_t epoch, void *arg)
{
	struct asked *asked = arg;

	(void)session;
	asked->epoch = epoch;
	asked->times++;
}

static void a_client_without_a_pool_is_asked_and_answers_itself(struct pair *pair)
{
	struct shmipc_session_callbacks callbacks = { .on_restart = note_restart };
	struct shmipc_session_options options = server_session_options(pair);
	struct asked asked = { 0 };
	struct server server = { 0 };
	struct shmipc_session *session;

	server_start(&server, pair, 1, -1);
	assert_code(shmipc_session_connect(server.address, &options, FAR, &session), 0);
	assert_code(shmipc_session_set_callbacks(session, &callbacks, &asked), 0);
	await(server.sessions == 1);
	assert_code(shmipc_listener_restart(server.listener, EPOCH, FAR), 0);
	await((shmipc_session_process(session), asked.times));
	assert_int_equal(asked.epoch, EPOCH);
	assert_code(shmipc_session_restart_done(session, EPOCH, 1), -EINVAL);
	assert_int_equal(progress_of(&server).state, SHMIPC_RESTART_ACTIVE);
	assert_code(shmipc_session_restart_done(session, EPOCH, -ENOENT), 0);
	await(progress_of(&server).state == SHMIPC_RESTART_FAILED);
	assert_int_equal(progress_of(&server).failed, 1);
	assert_code(shmipc_listener_restart(server.listener, EPOCH + 1, FAR), 0);
	await((shmipc_session_process(session), asked.times == 2));
	assert_code(shmipc_session_restart_done(session, EPOCH + 1, 0), 0);
	await(progress_of(&server).state == SHMIPC_RESTART_DONE);
	shmipc_session_shutdown(session);
	assert_code(shmipc_session_restart_done(session, EPOCH + 1, 0), -ESHUTDOWN);
	shmipc_session_close(session);
	server_stop(&server);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(idle_clients_follow_a_restart),
		ON_BOTH(a_stream_that_is_out_stays_with_the_old_server_until_it_is_given_back),
		ON_BOTH(a_renewed_session_ends_too_when_its_last_stream_is_closed_directly),
		ON_BOTH(where_the_new_server_does_not_come_up_the_old_one_goes_on),
		ON_BOTH(a_new_server_that_is_late_is_waited_for),
		ON_BOTH(a_server_that_dies_in_the_middle_of_a_restart_is_replaced_all_the_same),
		ON_BOTH(restarts_under_load_lose_nothing),
		ON_BOTH(a_client_without_a_pool_is_asked_and_answers_itself),
	};

	return RUN_TESTS(tests, argc, argv);
}
