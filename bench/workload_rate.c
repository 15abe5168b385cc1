// SPDX-License-Identifier: Apache-2.0
/*
 * Requests that come at times of their own, at a rate that is given, and their replies. A latency is from when its
 * request was due, so that what holds up one is charged to all that had to wait for it: no coordinated omission.
 *
 * The streams of a thread take turns, and one request of a thread is under way at any time, as of a client that calls and
 * waits: one that is due meanwhile waits for it, in the client as it would in a server's queue. Each thread of side 0 has
 * its counterpart at side 1, with the same streams.
 */
#include "ticks.h"
#include "workload.h"

static int request(struct worker *w, uint64_t number, uint64_t due, bool measure)
{
	int rc;

	schedule_wait(due, measure ? &w->result->pacing : NULL);
	rc = worker_put(w, number, SEND_EXPECT);
	if (!rc)
		rc = worker_get(w, number);
	if (!rc && measure)
		histogram_record(&w->result->latency, ticks_now() - due);
	return rc;
}

static int run_client(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	const struct plan *plan = w->plan;
	struct schedule schedule;
	uint64_t number;
	unsigned int i;
	int rc;

	schedule_start(&schedule, plan, worker_began(w), w->end->stream / plan->rate,
		       plan->streams / (plan->rate * w->end_count));
	for (number = first; number < first + count; number++) {
		for (i = 0; i < w->end_count; i++) {
			w->end = w->ends[i];
			rc = request(w, number, schedule_next(&schedule), measure);
			if (rc)
				return rc;
		}
	}
	if (measure)
		schedule_end(&schedule, &w->result->pacing);
	return 0;
}

static int run_server(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	uint64_t number, last = first + count - 1;
	unsigned int i;
	int rc;

	(void)measure;
	for (number = first; number <= last; number++) {
		for (i = 0; i < w->end_count; i++) {
			w->end = w->ends[i];
			rc = worker_get(w, number);
			if (!rc)
				rc = worker_put(w, number, w->end_count == 1 && number < last ? SEND_EXPECT : 0);
			if (rc)
				return rc;
		}
	}
	return 0;
}

const struct workload workload_rate = {
	.name = "rate",
	.summary = "requests at a fixed rate, and replies; late from when they were due",
	.level = "stream",
	.alternating = true,
	.calls = true,
	.paced = true,
	.shared_out = true,
	.paired = true,
	.transfers = 2,
	.timed_side = 0,
	.run = { run_client, run_server },
};
