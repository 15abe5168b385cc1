// SPDX-License-Identifier: Apache-2.0
/* The vector itself, for `shmipc-bench vector`: on the module, and on memfd. */
#include "vector.h"

#include <errno.h>
#include <shmipc/shmipc.h>
#include <stdio.h>
#include <unistd.h>

#include "ticks.h"

/* Each process has one or the other. */
static struct shmipc_vector *vector;
static struct shmipc_producer *producer;

static int check_kmod(const char **why)
{
	*why = "/dev/shmipc cannot be opened";
	return access("/dev/shmipc", R_OK | W_OK) ? -errno : 0;
}

static int prepare(struct vector_run *run)
{
	snprintf(run->path, sizeof(run->path), "/tmp/shmipc-bench-vector.%d", (int)getpid());
	return 0;
}

static int reader_open(struct vector_run *run)
{
	struct shmipc_vector_options options = SHMIPC_VECTOR_OPTIONS_INIT;
	struct shmipc_vector_stats stats = { .size = sizeof(stats) };
	int r;

	options.producer_memory = run->memory_max;
	options.memory_max = run->memory_max * run->producers;
	options.producers_max = run->producers;
	if (run->reader == READER_POLLING)
		options.sync = SHMIPC_SYNC_POLLING;
	if (run->reader == READER_RESTING) {
		options.sync = SHMIPC_SYNC_TIMED;
		options.timed_ns = 50000;
	}
	r = shmipc_vector_open(run->path, &options, &vector);
	/* Attaching is done in receive, and not timed. */
	while (!r && stats.producers < run->producers) {
		shmipc_vector_receive(vector, (int64_t)ticks_monotonic_ns() + 1000000);
		r = shmipc_vector_stats(vector, &stats);
	}
	return r;
}

static int read_batch(struct vector_run *run, struct vector_tally *tally)
{
	struct shmipc_vector_message message;
	int r = shmipc_vector_receive(vector, SHMIPC_FOREVER);

	(void)run;
	if (r)
		return r;
	while (shmipc_vector_next(vector, &message) == 1)
		vector_see(tally, message.data, message.size);
	return shmipc_vector_release(vector);
}

static int open_on(struct vector_run *run, enum shmipc_backend backend)
{
	struct shmipc_producer_options options = SHMIPC_PRODUCER_OPTIONS_INIT;
	int r;

	options.backend = backend;
	options.memory_max = run->memory_max;
	r = shmipc_producer_open(run->path, &options, &producer);
	return r ? r : shmipc_producer_attach(producer, SHMIPC_FOREVER);
}

static int open_kmod(struct vector_run *run)
{
	return open_on(run, SHMIPC_BACKEND_KMOD);
}

static int open_memfd(struct vector_run *run)
{
	return open_on(run, SHMIPC_BACKEND_MEMFD);
}

static int write_message(struct vector_run *run, const void *data, size_t size)
{
	(void)run;
	return shmipc_producer_push(producer, data, size, SHMIPC_FOREVER);
}

static uint64_t count_calls(struct vector_run *run)
{
	struct shmipc_producer_stats stats = { .size = sizeof(stats) };

	(void)run;
	return shmipc_producer_stats(producer, &stats) ? UINT64_MAX : stats.system_calls;
}

/* The reader was killed, or has left without a word. */
static void remove_path(struct vector_run *run)
{
	char name[sizeof(run->path) + 8];

	unlink(run->path);
	snprintf(name, sizeof(name), "%s.lock", run->path);
	unlink(name);
}

const struct carrier carrier_kmod = {
	.name = "vector",
	.summary = "shmipc vector on the kernel module",
	.polls = true,
	.check = check_kmod,
	.prepare = prepare,
	.reader_open = reader_open,
	.read = read_batch,
	.writer_open = open_kmod,
	.write = write_message,
	.writer_calls = count_calls,
	.cleanup = remove_path,
};

const struct carrier carrier_memfd = {
	.name = "vector-memfd",
	.summary = "shmipc vector on memfd",
	.polls = true,
	.prepare = prepare,
	.reader_open = reader_open,
	.read = read_batch,
	.writer_open = open_memfd,
	.write = write_message,
	.writer_calls = count_calls,
	.cleanup = remove_path,
};
