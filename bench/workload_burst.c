// SPDX-License-Identifier: Apache-2.0
/*
 * Nothing for a while, then many messages at once, one way, again and again. A latency is from when the burst was due
 * until the message has been read, so the last ones show how long it takes to drain.
 *
 * A burst is shared out evenly among the streams. Side 1 knows its times from the same schedule as side 0.
 */
#include "ticks.h"
#include "workload.h"

/* Of messages @first to @first + @count - 1 of the stream in use, all but the last are published with it. */
static int send_group(struct worker *w, uint64_t first, uint64_t count)
{
	uint64_t number;
	int rc;

	for (number = first; number < first + count; number++) {
		rc = worker_put(w, number, number + 1 < first + count ? SEND_MORE : 0);
		if (rc)
			return rc;
	}
	return 0;
}

static uint64_t group_size(const struct plan *plan, uint64_t done)
{
	uint64_t left = plan->burst / plan->streams - done;

	return left < plan->batch ? left : plan->batch;
}

static void start(struct schedule *schedule, struct worker *w)
{
	schedule_start(schedule, w->plan, worker_began(w), 0, w->plan->burst / w->plan->rate);
}

/* Messages from @first on of each stream: a group on each in turn. */
static int send_burst(struct worker *w, uint64_t first)
{
	uint64_t done, group;
	unsigned int i;
	int rc;

	for (done = 0; (group = group_size(w->plan, done)); done += group) {
		for (i = 0; i < w->end_count; i++) {
			w->end = w->ends[i];
			rc = send_group(w, first + done, group);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static int run_sender(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	struct schedule schedule;
	uint64_t done;
	int rc;

	start(&schedule, w);
	for (done = 0; done < count; done += w->plan->burst / w->plan->streams) {
		schedule_wait(schedule_next(&schedule), measure ? &w->result->pacing : NULL);
		rc = send_burst(w, first + done);
		if (rc)
			return rc;
	}
	return 0;
}

/* What a receiver knows of the burst that comes in. */
struct arrival {
	struct schedule schedule;
	uint64_t due; /* 0: nothing of it is there yet */
	bool measure;
};

/* Asked when the first message is there: side 0 has set the beginning by then. */
static uint64_t next_due(struct worker *w, struct schedule *schedule)
{
	if (!schedule->begin)
		start(schedule, w);
	return schedule_next(schedule);
}

static int receive_group(struct worker *w, uint64_t first, uint64_t count, struct arrival *arrival)
{
	uint64_t number;
	int rc;

	for (number = first; number < first + count; number++) {
		rc = worker_get(w, number);
		if (rc)
			return rc;
		if (!arrival->due)
			arrival->due = next_due(w, &arrival->schedule);
		if (arrival->measure)
			histogram_record(&w->result->latency, ticks_now() - arrival->due);
	}
	return 0;
}

static int receive_burst(struct worker *w, uint64_t first, struct arrival *arrival)
{
	uint64_t done, group;
	unsigned int i;
	int rc;

	arrival->due = 0;
	for (done = 0; (group = group_size(w->plan, done)); done += group) {
		for (i = 0; i < w->end_count; i++) {
			w->end = w->ends[i];
			rc = receive_group(w, first + done, group, arrival);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static int run_receiver(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	struct arrival arrival = { .measure = measure };
	uint64_t done;
	int rc;

	for (done = 0; done < count; done += w->plan->burst / w->plan->streams) {
		rc = receive_burst(w, first + done, &arrival);
		if (rc)
			return rc;
	}
	if (measure)
		schedule_end(&arrival.schedule, &w->result->pacing);
	return 0;
}

const struct workload workload_burst = {
	.name = "burst",
	.summary = "many messages at once, one way, again and again",
	.level = "stream",
	.paced = true,
	.bursts = true,
	.shared_out = true,
	.transfers = 1,
	.timed_side = 1,
	.run = { run_sender, run_receiver },
};
