// SPDX-License-Identifier: Apache-2.0
/*
 * Many connections of which none is in use: what they keep of memory, and of the processor. Each carries one message
 * first, so that it is there in full. The number of messages is the number of connections.
 *
 * Memory is what is there more than before the first one: shared, as the transport counts it (pages nobody has touched
 * yet included, each page at one side); private, from the kernel's book of this process; and what the whole system has
 * available less than before, which sees the kernel's own objects and whatever else goes on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "ticks.h"
#include "workload.h"

#define IDLE_SECONDS 1

/* A line "@name  N kB" of @path, in bytes; COUNT_UNKNOWN where there is none. */
static uint64_t read_kilobytes(const char *path, const char *name)
{
	unsigned long long value, found = COUNT_UNKNOWN;
	FILE *f = fopen(path, "re");
	char line[256];

	if (!f)
		return COUNT_UNKNOWN;
	while (found == COUNT_UNKNOWN && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) && sscanf(line + strlen(name), "%llu kB", &value) == 1)
			found = value * 1024;
	fclose(f);
	return found;
}

static uint64_t difference(uint64_t more, uint64_t less)
{
	if (more == COUNT_UNKNOWN || less == COUNT_UNKNOWN)
		return COUNT_UNKNOWN;
	return more > less ? more - less : 0;
}

static uint64_t read_private(void)
{
	return read_kilobytes("/proc/self/smaps_rollup", "Anonymous:");
}

static uint64_t read_available(void)
{
	return read_kilobytes("/proc/meminfo", "MemAvailable:");
}

static int create_ends(struct worker *w, uint64_t count)
{
	const struct end *first = w->ends[0];
	size_t size = (w->plan->transport->end_size + 127) & ~(size_t)127;
	unsigned char *room = aligned_alloc(128, size * count);
	uint64_t i;

	w->ends = calloc(count, sizeof(*w->ends));
	if (!room || !w->ends)
		return worker_fail(w, -ENOMEM, "making room for its book-keeping", 0);
	for (i = 0; i < count; i++) {
		w->ends[i] = memset(room + i * size, 0, size);
		*w->ends[i] = *first;
		w->ends[i]->connected = w->ends[i];
		w->ends[i]->stream = i;
	}
	return 0;
}

static int connect_all(struct worker *w, uint64_t count)
{
	uint64_t i;
	int rc;

	for (i = 0; i < count; i++) {
		w->end = w->ends[i];
		rc = worker_connect(w, w->end);
		if (!rc)
			rc = worker_open(w, w->end);
		if (!rc)
			rc = w->end->side ? worker_get(w, 0) : worker_put(w, 0, 0);
		if (!rc)
			rc = w->end->side ? worker_put(w, 0, 0) : worker_get(w, 0);
		if (rc)
			return rc;
	}
	return 0;
}

static uint64_t sum_shared(struct worker *w, uint64_t count)
{
	struct counts counts;
	uint64_t sum = 0, i;

	for (i = 0; i < count; i++) {
		probe_read_counts(&w->ends[i], 1, &counts);
		if (counts.memory == COUNT_UNKNOWN)
			return COUNT_UNKNOWN;
		sum += counts.memory;
	}
	return sum;
}

/* Both sides have everything connected, and do nothing. */
static void do_nothing(struct worker *w)
{
	const struct timespec second = { .tv_sec = IDLE_SECONDS };

	pthread_barrier_wait(w->gate);
	probe_begin(&w->probe);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &second, NULL);
	probe_end(&w->probe, &w->result->spent);
	pthread_barrier_wait(w->gate);
}

static int run_idle(struct worker *w)
{
	uint64_t count = w->plan->count, private_bytes, available, i;
	struct rlimit files;
	int rc;

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	rc = create_ends(w, count);
	if (rc)
		return rc;
	pthread_barrier_wait(w->gate);
	private_bytes = read_private();
	available = read_available();
	pthread_barrier_wait(w->gate);
	rc = connect_all(w, count);
	if (rc)
		return rc;
	pthread_barrier_wait(w->gate);
	w->result->memory.private_bytes = difference(read_private(), private_bytes);
	w->result->memory.system_bytes = difference(available, read_available());
	w->result->memory.shared_bytes = sum_shared(w, count);
	do_nothing(w);
	for (i = 0; i < count; i++) {
		worker_close(w, w->ends[i]);
		worker_disconnect(w, w->ends[i]);
	}
	return 0;
}

const struct workload workload_idle = {
	.name = "idle",
	.summary = "many connections not in use: memory of each",
	.level = "stream",
	.alternating = true,
	.opens = true,
	.connects = true,
	.transfers = 1,
	.timed_side = 0,
	.count = 1000,
	.whole = run_idle,
};
