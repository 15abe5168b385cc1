// SPDX-License-Identifier: Apache-2.0
/*
 * Several threads of a side, each with every n-th of its streams. They are made once, before the run, and meet before and
 * after each part of it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workload.h"

struct thread {
	struct worker worker;
	struct crew *crew;
	pthread_t id;
};

struct crew {
	struct worker *side;
	pthread_barrier_t begin, end; /* of a part */
	/* What they are to do in it; NULL: end. */
	int (*run)(struct worker *w, uint64_t first, uint64_t count, bool measure);
	uint64_t first, count;
	bool measure;
	unsigned int size;
	struct thread thread[];
};

/* A thread that fails ends its side, and says why: the other threads might wait for ever. */
static void *be_thread(void *arg)
{
	struct thread *t = arg;
	struct crew *crew = t->crew;

	for (;;) {
		pthread_barrier_wait(&crew->begin);
		if (!crew->run)
			return NULL;
		t->worker.began = crew->side->began;
		if (crew->run(&t->worker, crew->first, crew->count, crew->measure)) {
			memcpy(crew->side->result->error, t->worker.result->error, sizeof(t->worker.result->error));
			_exit(1);
		}
		pthread_barrier_wait(&crew->end);
	}
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

/* Those that were made are not ended where one cannot be: the side's process is. */
int crew_start(struct worker *w)
{
	unsigned int n = w->plan->threads[w->end->side], i;
	struct crew *crew = calloc(1, sizeof(*crew) + n * sizeof(crew->thread[0]));
	int rc = crew ? 0 : -ENOMEM;

	if (!rc)
		rc = -pthread_barrier_init(&crew->begin, NULL, n + 1);
	if (!rc)
		rc = -pthread_barrier_init(&crew->end, NULL, n + 1);
	for (i = 0; i < n && !rc; i++) {
		crew->side = w;
		crew->size = i + 1;
		crew->thread[i].crew = crew;
		rc = take_share(&crew->thread[i].worker, w, i, n);
		if (!rc)
			rc = -pthread_create(&crew->thread[i].id, NULL, be_thread, &crew->thread[i]);
	}
	if (rc)
		return worker_fail(w, rc, "starting threads", 0);
	w->crew = crew;
	return 0;
}

void crew_run(struct crew *crew, int (*run)(struct worker *w, uint64_t first, uint64_t count, bool measure),
	      uint64_t first, uint64_t count, bool measure)
{
	crew->run = run;
	crew->first = first;
	crew->count = count;
	crew->measure = measure;
	pthread_barrier_wait(&crew->begin);
	pthread_barrier_wait(&crew->end);
}

void crew_end(struct worker *w)
{
	struct crew *crew = w->crew;
	unsigned int i;

	crew->run = NULL;
	pthread_barrier_wait(&crew->begin);
	for (i = 0; i < crew->size; i++) {
		struct worker *one = &crew->thread[i].worker;

		pthread_join(crew->thread[i].id, NULL);
		histogram_merge(&w->result->latency, &one->result->latency);
		pacing_merge(&w->result->pacing, &one->result->pacing);
		free(one->result);
		free(one->ends);
	}
	pthread_barrier_destroy(&crew->begin);
	pthread_barrier_destroy(&crew->end);
	free(crew);
	w->crew = NULL;
}
