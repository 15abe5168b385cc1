// SPDX-License-Identifier: Apache-2.0
/*
 * Short conversations: open a stream (where there are no streams, a connection), send one message, receive the echo,
 * close. All of it is timed, at side 0.
 */
#include "ticks.h"
#include "workload.h"

static int converse(struct worker *w, uint64_t number)
{
	int rc;

	rc = worker_open(w, w->end);
	if (rc)
		return rc;
	rc = worker_put(w, number, SEND_EXPECT);
	if (!rc)
		rc = worker_get(w, number);
	worker_close(w, w->end);
	return rc;
}

static int run_opener(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	uint64_t number, begin;
	int rc;

	for (number = first; number < first + count; number++) {
		begin = ticks_now();
		rc = converse(w, number);
		if (rc)
			return rc;
		if (measure)
			histogram_record(&w->result->latency, ticks_now() - begin);
	}
	return 0;
}

static int run_echo(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	uint64_t number;
	int rc;

	(void)measure;
	for (number = first; number < first + count; number++) {
		rc = worker_open(w, w->end);
		if (rc)
			return rc;
		rc = worker_get(w, number);
		if (!rc)
			rc = worker_put(w, number, 0);
		worker_close(w, w->end);
		if (rc)
			return rc;
	}
	return 0;
}

const struct workload workload_open_close = {
	.name = "open-close",
	.summary = "open a stream, one echo, close it",
	.level = "stream",
	.alternating = true,
	.calls = true,
	.opens = true,
	.transfers = 2,
	.timed_side = 0,
	.run = { run_opener, run_echo },
};
