// SPDX-License-Identifier: Apache-2.0
/*
 * One message under way at any time: side 0 sends, side 1 answers with a message of the same size. A round trip
 * is timed from before the message is written until after the answer has been read; with --touch all both sides
 * write and read every byte, so it holds two writes and two reads.
 *
 * call is the same through the function that sends a message and receives the next one, where the transport has one:
 * a client sends its request and receives the reply, a server with one client sends the reply and receives the next
 * request.
 */
#include "ticks.h"
#include "workload.h"

static int run_asker(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	uint64_t number, begin;
	int rc;

	for (number = first; number < first + count; number++) {
		begin = ticks_now();
		rc = worker_put(w, number, SEND_EXPECT);
		if (!rc)
			rc = worker_get(w, number);
		if (rc)
			return rc;
		if (measure)
			histogram_record(&w->result->latency, ticks_now() - begin);
	}
	return 0;
}

static int run_answerer(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	uint64_t last = w->plan->warmup + w->plan->count + w->plan->cooldown - 1, number;
	int rc;

	(void)measure;
	for (number = first; number < first + count; number++) {
		rc = worker_get(w, number);
		if (!rc)
			rc = worker_put(w, number, number == last ? 0 : SEND_EXPECT);
		if (rc)
			return rc;
	}
	return 0;
}

const struct workload workload_ping_pong = {
	.name = "ping-pong",
	.summary = "one message under way: round trips",
	.level = "channel",
	.alternating = true,
	.transfers = 2,
	.timed_side = 0,
	.run = { run_asker, run_answerer },
};

const struct workload workload_call = {
	.name = "call",
	.summary = "a request and its reply, in one call where there is one",
	.level = "stream",
	.alternating = true,
	.calls = true,
	.transfers = 2,
	.timed_side = 0,
	.run = { run_asker, run_answerer },
};
