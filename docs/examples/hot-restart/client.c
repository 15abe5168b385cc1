// SPDX-License-Identifier: Apache-2.0
/*
 * client.c - sends requests without a pause, from several threads, and counts those that were not answered
 *
 *	client ADDRESS THREADS
 *
 * Until SIGTERM. Exits with 1 if a request was lost.
 */
#include <errno.h>
#include <pthread.h>
#include <shmipc/shmipc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol.h"

#define THREADS_MAX 100
#define GENERATIONS_MAX 100

static _Atomic int stopping;
static _Atomic uint64_t answered, lost, by_generation[GENERATIONS_MAX];

static int64_t in_seconds(int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec + seconds) * 1000000000ll + now.tv_nsec;
}

static int ask(struct shmipc_pool *pool, uint64_t number)
{
	struct request request = { .number = number };
	struct shmipc_stream *stream;
	struct reply reply;
	ssize_t n = shmipc_pool_get(pool, &stream, in_seconds(5));

	if (n)
		return (int)n;
	n = shmipc_stream_call(stream, &request, sizeof(request), &reply, sizeof(reply), in_seconds(5));
	if (n != sizeof(reply)) {
		/* What comes later must not be the next user's: this stream is not for the pool. */
		shmipc_stream_close(stream);
		return n < 0 ? (int)n : -EPROTO;
	}
	shmipc_pool_put(pool, stream);
	if (reply.number != number)
		return -EBADMSG;
	by_generation[reply.generation % GENERATIONS_MAX]++;
	return 0;
}

static void *run(void *pool)
{
	uint64_t number;
	int r;

	for (number = 0; !stopping; number++) {
		r = ask(pool, number);
		if (!r)
			answered++;
		else if (!lost++)
			fprintf(stderr, "client: %s\n", shmipc_strerror(r));
	}
	return NULL;
}

static void report(struct shmipc_pool *pool)
{
	struct shmipc_pool_stats stats = { .size = sizeof(stats) };
	int i;

	shmipc_pool_stats(pool, &stats);
	printf("%llu answered, %llu lost; %llu sessions renewed, %llu rebuilt; generations",
	       (unsigned long long)answered, (unsigned long long)lost, (unsigned long long)stats.restarts,
	       (unsigned long long)stats.reconnects);
	for (i = 0; i < GENERATIONS_MAX; i++)
		if (by_generation[i])
			printf(" %d", i);
	printf("\n");
}

int main(int argc, char **argv)
{
	int threads = argc > 2 ? atoi(argv[2]) : 4, i, signal, r;
	struct shmipc_pool_options options = SHMIPC_POOL_OPTIONS_INIT;
	pthread_t thread[THREADS_MAX];
	struct shmipc_pool *pool;
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	if (threads < 1 || threads > THREADS_MAX) {
		fprintf(stderr, "client: 1 to %d threads\n", THREADS_MAX);
		return 1;
	}
	options.sessions = 2;
	r = shmipc_pool_create(argc > 1 ? argv[1] : "/tmp/hot-restart", &options, &pool);
	if (r) {
		fprintf(stderr, "client: %s\n", shmipc_strerror(r));
		return 1;
	}
	for (i = 0; i < threads; i++) {
		if (pthread_create(&thread[i], NULL, run, pool)) {
			fprintf(stderr, "client: no more than %d threads\n", i);
			threads = i;
		}
	}
	sigwait(&stop, &signal);
	stopping = 1;
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	report(pool);
	shmipc_pool_close(pool);
	return lost > 0;
}
