/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top_model.h - the channels that top shows, kept open between refreshes
 */
#ifndef SHMIPCCTL_TOP_MODEL_H
#define SHMIPCCTL_TOP_MODEL_H

#include "rates.h"

enum top_key { TOP_BY_MESSAGES, TOP_BY_BYTES, TOP_BY_WAKES, TOP_BY_QUEUE, TOP_BY_LENT, TOP_BY_AGE };

struct top_row {
	struct channel_view channel;
	struct sample sample;
	struct rates rates;
};

struct top {
	struct host host; /* of the last scan */
	struct top_row *rows;
	size_t count;
	enum top_key key;
	pid_t only;	   /* only channels of this process; 0: all */
	int64_t scan_next; /* when to look for new channels */
};

/* Look at everything again; now and then for new channels too. */
void top_refresh(struct top *top);
void top_sort(struct top *top);
void top_free(struct top *top);

uint64_t top_value(const struct top_row *row, enum top_key key);
const char *top_key_name(enum top_key key);
bool top_key_parse(const char *text, enum top_key *key);
json_t *top_json(const struct top *top);

#endif /* SHMIPCCTL_TOP_MODEL_H */
