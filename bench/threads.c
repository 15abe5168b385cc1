// SPDX-License-Identifier: Apache-2.0
/*
 * Several threads of a side, each with every n-th of its streams. They are made for each part of a run, which takes
 * tens of microseconds of its tens of milliseconds.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workload.h"

struct thread {
	struct worker worker;
	int (*run)(struct worker *w, uint64_t first, uint64_t count, bool measure);
	uint64_t first, count;
	bool measure;
	pthread_t id;
	struct worker_result *side; /* its side's */
};

/* A thread that fails ends its side, and says why: the other threads might wait for ever. */
static void *be_thread(void *arg)
{
	struct thread *t = arg;

	if (!t->run(&t->worker, t->first, t->count, t->measure))
		return NULL;
	memcpy(t->side->error, t->worker.result->error, sizeof(t->side->error));
	_exit(1);
}

/* Every @n-th of the streams of @w, from @i on, and room for what comes out. */
static int take_share(struct worker *share, const struct worker *w, unsigned int i, unsigned int n)
{
	unsigned int k;

	*share = *w;
	share->ends = calloc(w->end_count / n + 1, sizeof(*share->ends));
	share->result = calloc(1, sizeof(*share->result));
	if (!share->ends || !share->result)
		return -ENOMEM;
	share->end_count = 0;
	for (k = i; k < w->end_count; k += n)
		share->ends[share->end_count++] = w->ends[k];
	share->end = share->ends[0];
	return 0;
}

static int start(struct thread *t, struct worker *w, unsigned int i, unsigned int n)
{
	int rc = take_share(&t->worker, w, i, n);

	t->side = w->result;
	return rc ? rc : -pthread_create(&t->id, NULL, be_thread, t);
}

int threads_run(struct worker *w, int (*run)(struct worker *w, uint64_t first, uint64_t count, bool measure),
		uint64_t first, uint64_t count, bool measure)
{
	unsigned int n = w->plan->threads[w->end->side], i;
	struct thread *threads = calloc(n, sizeof(*threads));
	int rc = threads ? 0 : -ENOMEM;

	for (i = 0; i < n && !rc; i++) {
		threads[i].run = run;
		threads[i].first = first;
		threads[i].count = count;
		threads[i].measure = measure;
		rc = start(&threads[i], w, i, n);
	}
	if (rc)
		return worker_fail(w, rc, "starting threads", first); /* which ends the side, and those that run */
	for (i = 0; i < n; i++) {
		pthread_join(threads[i].id, NULL);
		histogram_merge(&w->result->latency, &threads[i].worker.result->latency);
		pacing_merge(&w->result->pacing, &threads[i].worker.result->pacing);
		free(threads[i].worker.result);
		free(threads[i].worker.ends);
	}
	free(threads);
	return 0;
}
