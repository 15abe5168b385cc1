/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rates.h - what happened between two looks at a channel
 */
#ifndef SHMIPCCTL_RATES_H
#define SHMIPCCTL_RATES_H

#include "channel_view.h"

struct sample {
	int64_t at_ns;
	struct counters counters[2];
	uint32_t queue[2];
	bool readable[2];
};

/* A second's worth, by direction: [0] is endpoint 0's sending. */
struct rates {
	double messages[2], bytes[2];
	double wakes; /* rings of both sides that went to the other */
	bool stalled; /* something is queued, and nothing was received meanwhile */
};

void sample_take(struct sample *sample, const struct channel_view *channel);

/* Pure. Counters that went back, as only a broken program's do, count as nothing. */
void rates_between(const struct sample *before, const struct sample *after, struct rates *rates);

json_t *rates_json(const struct rates *rates);

#endif /* SHMIPCCTL_RATES_H */
