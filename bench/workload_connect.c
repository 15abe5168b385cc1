// SPDX-License-Identifier: Apache-2.0
/*
 * From nothing to the first answer: connect, handshake, open a stream, send one message, receive the echo. Timed at
 * side 0 up to there; what is taken down again afterwards is not. Both sides meet before each, so that side 1 has
 * taken down the one before.
 */
#include "ticks.h"
#include "workload.h"

static int establish(struct worker *w)
{
	int rc = worker_connect(w, w->end);

	return rc ? rc : worker_open(w, w->end);
}

static void take_down(struct worker *w)
{
	worker_close(w, w->end);
	worker_disconnect(w, w->end);
}

static int run_client(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	uint64_t number, begin;
	int rc;

	for (number = first; number < first + count; number++) {
		pthread_barrier_wait(w->gate);
		begin = ticks_now();
		rc = establish(w);
		if (!rc)
			rc = worker_put(w, number, SEND_EXPECT);
		if (!rc)
			rc = worker_get(w, number);
		if (rc)
			return rc;
		if (measure)
			histogram_record(&w->result->latency, ticks_now() - begin);
		take_down(w);
	}
	return 0;
}

static int run_server(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	uint64_t number;
	int rc;

	(void)measure;
	for (number = first; number < first + count; number++) {
		pthread_barrier_wait(w->gate);
		rc = establish(w);
		if (!rc)
			rc = worker_get(w, number);
		if (!rc)
			rc = worker_put(w, number, 0);
		if (rc)
			return rc;
		take_down(w);
	}
	return 0;
}

const struct workload workload_connect = {
	.name = "connect",
	.summary = "connect, handshake, first echo",
	.level = "stream",
	.alternating = true,
	.calls = true,
	.opens = true,
	.connects = true,
	.transfers = 2,
	.timed_side = 0,
	.run = { run_client, run_server },
};
