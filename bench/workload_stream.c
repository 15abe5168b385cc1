// SPDX-License-Identifier: Apache-2.0
/*
 * One way, as fast as it goes: side 0 sends, side 1 receives. With --batch N the messages of a group are published
 * together. With --streams and --threads, each side's threads share the streams out among them.
 *
 * With --touch all, every STAMP_EVERY-th message carries in its first word when it was written, and its latency
 * is from then until it is in the receiver's hands. As the sender never pauses, this is mostly time spent
 * queueing. Without touching, or for messages too small, no latency is known.
 */
#include <string.h>

#include "ticks.h"
#include "workload.h"

#define STAMP_EVERY 64

static bool is_stamped(uint64_t number, size_t size)
{
	return number % STAMP_EVERY == 0 && size >= 2 * sizeof(uint64_t);
}

/* Messages @first to @first + @count - 1 of the stream in use, published together. */
static int send_group(struct worker *w, uint64_t first, uint64_t count)
{
	uint64_t number, now;
	size_t size;
	void *buf;
	int rc;

	for (number = first; number < first + count; number++) {
		size = worker_size(w, number);
		rc = worker_begin(w, number, size, &buf);
		if (rc)
			return rc;
		if (w->plan->touch) {
			touch_fill(buf, size, worker_base(w, number, 0));
			if (is_stamped(number, size)) {
				now = ticks_now();
				memcpy(buf, &now, sizeof(now));
			}
		}
		rc = worker_send(w, number, size, number + 1 < first + count ? SEND_MORE : 0);
		if (rc)
			return rc;
	}
	return 0;
}

/* The stamp takes the place of the first word of the pattern. */
static bool check_stamped(struct worker *w, const void *buf, uint64_t number, bool measure)
{
	uint64_t now = ticks_now(), then;

	memcpy(&then, buf, sizeof(then));
	if (measure)
		histogram_record(&w->result->latency, now > then ? now - then : 0);
	return touch_check((const char *)buf + sizeof(then), w->end->expected - sizeof(then),
			   worker_base(w, number, 0) + 1);
}

static int receive_group(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	uint64_t number;
	const void *buf;
	int rc;

	for (number = first; number < first + count; number++) {
		bool good = true;

		rc = worker_receive(w, number, &buf);
		if (rc)
			return rc;
		if (w->plan->touch && is_stamped(number, w->end->expected))
			good = check_stamped(w, buf, number, measure);
		else if (w->plan->touch)
			good = touch_check(buf, w->end->expected, worker_base(w, number, 0));
		if (!good)
			return worker_fail(w, -EBADMSG, "checking the bytes received", number);
		rc = worker_done(w, number);
		if (rc)
			return rc;
	}
	return 0;
}

/* One group on each stream in turn. Both sides go through theirs in the same order, so none waits for the other. */
static int run_sender(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	uint64_t done;
	unsigned int i;
	int rc;

	(void)measure;
	for (done = 0; done < count; done += w->plan->batch) {
		for (i = 0; i < w->end_count; i++) {
			w->end = w->ends[i];
			rc = send_group(w, first + done, w->plan->batch);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static int run_receiver(struct worker *w, uint64_t first, uint64_t count, bool measure)
{
	uint64_t done;
	unsigned int i;
	int rc;

	for (done = 0; done < count; done += w->plan->batch) {
		for (i = 0; i < w->end_count; i++) {
			w->end = w->ends[i];
			rc = receive_group(w, first + done, w->plan->batch, measure);
			if (rc)
				return rc;
		}
	}
	return 0;
}

const struct workload workload_stream = {
	.name = "stream",
	.summary = "one way, as fast as it goes",
	.level = "channel",
	.shared_out = true,
	.transfers = 1,
	.timed_side = 1,
	.run = { run_sender, run_receiver },
};
