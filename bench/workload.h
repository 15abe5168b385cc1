/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <errno.h>

#include "histogram.h"
#include "probe.h"
#include "touch.h"
#include "transport.h"

#define WORKER_ERROR 160
#define WORKER_PARTS 16

/* What a side leaves for the runner, in memory they share. */
struct worker_result {
	struct probe_result spent;         /* on the measured messages */
	struct counts total;               /* by the transport, from attaching to the last message */
	uint64_t part_ticks[WORKER_PARTS]; /* the measured time, cut into that many runs of part_count messages */
	uint64_t part_count;
	struct histogram latency;          /* in ticks; empty on the side that measures none */
	char error[WORKER_ERROR];          /* empty, or why the side failed */
};

/* A side at work. */
struct worker {
	const struct plan *plan;
	struct end *end;
	struct probe probe;
	struct worker_result *result;
};

/*
 * A workload decides who sends what when. To add one: write a file that defines a struct workload, and name it in
 * workload.c. One message in it is the unit of all figures per message.
 */
struct workload {
	const char *name;
	const char *summary;
	bool alternating;       /* never more than one payload under way */
	unsigned int transfers; /* payloads carried per message: 2 for a round trip */
	int timed_side;         /* the side whose clock counts */

	/*
	 * One for each side: messages number @first to @first + @count - 1. @measure: record latencies. Returns 0, or
	 * -errno after worker_fail().
	 */
	int (*run[2])(struct worker *w, uint64_t first, uint64_t count, bool measure);
};

extern const struct workload *const workloads[];
extern const unsigned int workload_count;

const struct workload *workload_find(const char *name);

/* All that a side does, from warm-up to cool-down. 0, or -errno with an error in the result. */
int workload_run(struct worker *w);

/* Says in the result what failed at which message, unless something was said already. Returns @rc. */
int worker_fail(struct worker *w, int rc, const char *doing, uint64_t number);

/* Room for a message in *@buf. */
static inline int worker_begin(struct worker *w, uint64_t number, void **buf)
{
	int rc = w->plan->transport->begin(w->end, w->plan->size, buf);

	return rc ? worker_fail(w, rc, "waiting for room", number) : 0;
}

static inline int worker_send(struct worker *w, uint64_t number, unsigned int flags)
{
	int rc = w->plan->transport->send(w->end, w->plan->size, flags);

	return rc ? worker_fail(w, rc, "sending", number) : 0;
}

/* The next message in *@buf, of the right length, to be given back with worker_done(). */
static inline int worker_receive(struct worker *w, uint64_t number, const void **buf)
{
	size_t len;
	int rc = w->plan->transport->receive(w->end, buf, &len);

	if (rc)
		return worker_fail(w, rc, "receiving", number);
	return len == w->plan->size ? 0 : worker_fail(w, -EBADMSG, "receiving: wrong length", number);
}

static inline int worker_done(struct worker *w, uint64_t number)
{
	int rc = w->plan->transport->done(w->end);

	return rc ? worker_fail(w, rc, "giving back", number) : 0;
}

#endif
