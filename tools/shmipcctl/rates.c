// SPDX-License-Identifier: Apache-2.0
/*
 * rates.c - what happened between two looks at a channel
 */
#include "rates.h"

void sample_take(struct sample *s, const struct channel_view *c)
{
	int e;

	*s = (struct sample){ .at_ns = now_ns() };
	for (e = 0; e < 2; e++) {
		s->readable[e] = c->side[e].readable;
		s->counters[e] = c->side[e].lane.counters;
		s->queue[e] = c->side[e].lane.queue;
	}
}

static double rate(uint64_t before, uint64_t after, double seconds)
{
	return after > before && seconds > 0 ? (double)(after - before) / seconds : 0;
}

void rates_between(const struct sample *a, const struct sample *b, struct rates *r)
{
	double seconds = (double)(b->at_ns - a->at_ns) / 1e9;
	int e;

	*r = (struct rates){ .stalled = false };
	for (e = 0; e < 2; e++) {
		if (!a->readable[e] || !b->readable[e])
			continue;
		r->messages[e] = rate(a->counters[e].messages_sent, b->counters[e].messages_sent, seconds);
		r->bytes[e] = rate(a->counters[e].bytes_sent, b->counters[e].bytes_sent, seconds);
		r->wakes += rate(a->counters[e].rings, b->counters[e].rings, seconds);
		if (a->queue[e] && b->queue[e] && a->readable[!e] && b->readable[!e] &&
		    a->counters[!e].messages_received == b->counters[!e].messages_received)
			r->stalled = true;
	}
}

json_t *rates_json(const struct rates *r)
{
	return json_pack("{s:[f,f],s:[f,f],s:f,s:b}", "messages_per_second", r->messages[0], r->messages[1],
			 "bytes_per_second", r->bytes[0], r->bytes[1], "wakeups_per_second", r->wakes, "stalled",
			 r->stalled);
}
