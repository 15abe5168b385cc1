// SPDX-License-Identifier: Apache-2.0
/*
 * A request and its reply, again and again, as a client and a server would have it: the client sends and receives in
 * one call where the transport has one, the server receives and sends in two, because it cannot know who asks next.
 * Otherwise as ping-pong.
 */
#include "ticks.h"
#include "workload.h"

static int run_client(struct worker *w, uint64_t first, uint64_t count, bool measure)
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

static int run_server(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	uint64_t number;
	int rc;

	(void)measure;
	for (number = first; number < first + count; number++) {
		rc = worker_get(w, number);
		if (!rc)
			rc = worker_put(w, number, 0);
		if (rc)
			return rc;
	}
	return 0;
}

const struct workload workload_call = {
	.name = "call",
	.summary = "a request and its reply, in one call where there is one",
	.level = "stream",
	.alternating = true,
	.calls = true,
	.transfers = 2,
	.timed_side = 0,
	.run = { run_client, run_server },
};
