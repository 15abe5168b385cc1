// SPDX-License-Identifier: Apache-2.0
/* The list of workloads, and the frame around each: warm-up, the measured part, cool-down. */
#include "workload.h"

#include <stdio.h>
#include <string.h>

#include "ticks.h"

extern const struct workload workload_ping_pong, workload_stream;

const struct workload *const workloads[] = { &workload_ping_pong, &workload_stream };
const unsigned int workload_count = sizeof(workloads) / sizeof(workloads[0]);

const struct workload *workload_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < workload_count; i++)
		if (!strcmp(workloads[i]->name, name))
			return workloads[i];
	return NULL;
}

int worker_fail(struct worker *w, int rc, const char *doing, uint64_t number)
{
	if (!w->result->error[0])
		snprintf(w->result->error, sizeof(w->result->error), "%s, message %llu: %s", doing,
			 (unsigned long long)number, strerror(-rc));
	return rc;
}

/* In parts, so that a disturbance of one part can be told from the rest. Parts are whole batches. */
static int run_measured(struct worker *w, int (*run)(struct worker *, uint64_t, uint64_t, bool))
{
	uint64_t count = w->plan->count, done = 0, part, before, now;
	unsigned int i;
	int rc;

	part = count / WORKER_PARTS / w->plan->batch * w->plan->batch;
	w->result->part_count = part;
	before = ticks_now();
	for (i = 0; i < WORKER_PARTS && part; i++) {
		rc = run(w, w->plan->warmup + done, part, true);
		if (rc)
			return rc;
		now = ticks_now();
		w->result->part_ticks[i] = now - before;
		before = now;
		done += part;
	}
	return run(w, w->plan->warmup + done, count - done, true);
}

int workload_run(struct worker *w)
{
	int (*run)(struct worker *, uint64_t, uint64_t, bool) = w->plan->workload->run[w->end->side];
	const struct plan *plan = w->plan;
	int rc;

	rc = run(w, 0, plan->warmup, false);
	if (rc)
		return rc;
	probe_begin(&w->probe, w->end);
	rc = run_measured(w, run);
	if (rc)
		return rc;
	probe_end(&w->probe, w->end, &w->result->spent);
	rc = run(w, plan->warmup + plan->count, plan->cooldown, false);
	probe_read_counts(w->end, &w->result->total);
	return rc;
}
