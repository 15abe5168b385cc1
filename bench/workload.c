// SPDX-License-Identifier: Apache-2.0
/*
 * The list of workloads; the frame around each: warm-up, the measured part, cool-down; and what they have in common:
 * opening and closing, and a message that is filled, sent, received and checked.
 */
#include "workload.h"

#include <stdio.h>
#include <string.h>

#include "ticks.h"

#define PACED_LEAD_NS 100000

extern const struct workload workload_ping_pong, workload_stream, workload_call, workload_open_close, workload_connect,
	workload_idle, workload_rate, workload_burst;

const struct workload *const workloads[] = {
	&workload_ping_pong, &workload_stream,	   &workload_call,    &workload_rate,
	&workload_burst,     &workload_open_close, &workload_connect, &workload_idle,
};
const unsigned int workload_count = sizeof(workloads) / sizeof(workloads[0]);

const struct workload *workload_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < workload_count; i++)
		if (!strcmp(workloads[i]->name, name))
			return workloads[i];
	return NULL;
}

const char *workload_lacks(const struct workload *workload, const struct transport *transport)
{
	if ((workload->opens || workload->connects) && !transport->open)
		return "it cannot open and close anything";
	return NULL;
}

int worker_fail(struct worker *w, int rc, const char *doing, uint64_t number)
{
	if (!w->result->error[0])
		snprintf(w->result->error, sizeof(w->result->error), "%s, message %llu: %s", doing,
			 (unsigned long long)number, strerror(-rc));
	return rc;
}

int worker_connect(struct worker *w, struct end *end)
{
	int (*connect)(struct end *) = w->plan->transport->connect;
	int rc;

	end->connected = end;
	rc = connect ? connect(end) : 0;
	return rc ? worker_fail(w, rc, "connecting", 0) : 0;
}

int worker_open(struct worker *w, struct end *end)
{
	int (*open)(struct end *) = w->plan->transport->open;
	int rc = open ? open(end) : 0;

	return rc ? worker_fail(w, rc, "opening a stream", 0) : 0;
}

void worker_close(struct worker *w, struct end *end)
{
	if (w->plan->transport->close)
		w->plan->transport->close(end);
}

void worker_disconnect(struct worker *w, struct end *end)
{
	if (w->plan->transport->disconnect)
		w->plan->transport->disconnect(end);
}

int worker_put(struct worker *w, uint64_t number, unsigned int flags)
{
	size_t size = worker_size(w, number);
	void *buf;
	int rc = worker_begin(w, number, size, &buf);

	if (rc)
		return rc;
	if (w->plan->touch)
		touch_fill(buf, size, worker_base(w, number, w->end->side));
	return worker_send(w, number, size, flags);
}

int worker_get(struct worker *w, uint64_t number)
{
	const void *buf;
	int rc = worker_receive(w, number, &buf);

	if (rc)
		return rc;
	if (w->plan->touch && !touch_check(buf, w->end->expected, worker_base(w, number, !w->end->side)))
		return worker_fail(w, -EBADMSG, "checking the bytes received", number);
	return worker_done(w, number);
}

static int run(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	int (*one)(struct worker *, uint64_t, uint64_t, bool) = w->plan->workload->run[w->end->side];

	if (!w->crew)
		return one(w, first, count, measure);
	crew_run(w->crew, one, first, count, measure);
	return 0;
}

/* One of the three parts of a run that keeps to a schedule, which begins anew when the threads are there. */
static int run_paced(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	uint64_t lead = PACED_LEAD_NS * ticks_clock.per_ns * w->plan->threads[0];

	w->began++;
	if (!w->end->side)
		__atomic_store_n(w->began, ticks_now() + lead, __ATOMIC_RELEASE);
	return run(w, first, count, measure);
}

/* In parts, so that a disturbance of one part can be told from the rest. Parts are whole batches of every stream. */
static int run_measured(struct worker *w, uint64_t first, uint64_t count)
{
	uint64_t done = 0, part, before, now;
	unsigned int i;
	int rc;

	part = count / WORKER_PARTS / w->plan->batch * w->plan->batch;
	w->result->part_count = part * w->plan->streams;
	before = ticks_now();
	for (i = 0; i < WORKER_PARTS && part; i++) {
		rc = run(w, first + done, part, true);
		if (rc)
			return rc;
		now = ticks_now();
		w->result->part_ticks[i] = now - before;
		before = now;
		done += part;
	}
	return run(w, first + done, count - done, true);
}

int workload_run(struct worker *w)
{
	int (*part)(struct worker *, uint64_t, uint64_t, bool) = w->plan->workload->paced ? run_paced : run;
	uint64_t streams = w->plan->streams, warmup = w->plan->warmup / streams, count = w->plan->count / streams;
	int rc;

	if (w->plan->workload->whole)
		return w->plan->workload->whole(w);
	rc = w->plan->threads[w->end->side] > 1 ? crew_start(w) : 0;
	if (!rc)
		rc = part(w, 0, warmup, false);
	if (rc)
		return rc;
	probe_begin(&w->probe);
	rc = w->plan->workload->paced ? part(w, warmup, count, true) : run_measured(w, warmup, count);
	if (rc)
		return rc;
	probe_end(&w->probe, &w->result->spent);
	rc = part(w, warmup + count, w->plan->cooldown / streams, false);
	if (!rc && w->crew)
		crew_end(w);
	probe_read_counts(w->ends, w->end_count, &w->result->total);
	return rc;
}
