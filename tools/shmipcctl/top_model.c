// SPDX-License-Identifier: Apache-2.0
/*
 * top_model.c - the channels that top shows, kept open between refreshes
 *
 * A scan of all processes is the dear part, so it is made at most every SCAN_NS, and so seldom that it
 * takes no more than one part in SCAN_SHARE of the time. In between the mappings show what changes.
 */
#include "top_model.h"

#include <stdlib.h>
#include <string.h>

#define SCAN_NS 2000000000ll
#define SCAN_SHARE 300

/* Move an open channel over, or open it. What the scan says of sizes and states is newer. */
static void take_row(struct top *old, const struct channel_at *at, struct top_row *row, const struct host *host)
{
	size_t i;

	for (i = 0; i < old->count; i++) {
		if (!channel_update(&old->rows[i].channel, at))
			continue;
		*row = old->rows[i];
		old->rows[i] = old->rows[--old->count];
		return;
	}
	memset(row, 0, sizeof(*row));
	channel_open(&row->channel, at, host);
	sample_take(&row->sample, &row->channel);
}

static void scan(struct top *top)
{
	struct top fresh = *top;
	int64_t period;
	size_t i;

	if (host_scan(&fresh.host, top->only)) {
		host_free(&fresh.host);
		return;
	}
	fresh.rows = calloc(fresh.host.count + 1, sizeof(*fresh.rows));
	if (!fresh.rows) {
		host_free(&fresh.host);
		return;
	}
	for (i = 0; i < fresh.host.count; i++)
		take_row(top, &fresh.host.channels[i], &fresh.rows[i], &fresh.host);
	fresh.count = fresh.host.count;
	period = fresh.host.took_ns * SCAN_SHARE;
	fresh.scan_next = now_ns() + (period > SCAN_NS ? period : SCAN_NS);
	top_free(top);
	*top = fresh;
}

void top_refresh(struct top *top)
{
	struct sample sample;
	size_t i;

	if (now_ns() >= top->scan_next)
		scan(top);
	for (i = 0; i < top->count;) {
		struct top_row *row = &top->rows[i];

		if (!channel_again(&row->channel, &top->host)) {
			channel_close(&row->channel);
			memmove(row, row + 1, (top->count - i - 1) * sizeof(*row));
			top->count--;
			continue;
		}
		sample_take(&sample, &row->channel);
		rates_between(&row->sample, &sample, &row->rates);
		row->sample = sample;
		i++;
	}
	top_sort(top);
}

uint64_t top_value(const struct top_row *row, enum top_key key)
{
	const struct lane_facts *a = &row->channel.side[0].lane, *b = &row->channel.side[1].lane;

	switch (key) {
	case TOP_BY_MESSAGES:
		return (uint64_t)(row->rates.messages[0] + row->rates.messages[1]);
	case TOP_BY_BYTES:
		return (uint64_t)(row->rates.bytes[0] + row->rates.bytes[1]);
	case TOP_BY_WAKES:
		return (uint64_t)row->rates.wakes;
	case TOP_BY_QUEUE:
		return (uint64_t)a->queue + b->queue;
	case TOP_BY_LENT:
		return a->lent_bytes + b->lent_bytes;
	case TOP_BY_AGE:
		return a->oldest_ms > b->oldest_ms ? a->oldest_ms : b->oldest_ms;
	}
	return 0;
}

static enum top_key sort_key;

static int compare_rows(const void *a, const void *b)
{
	const struct top_row *p = a, *q = b;
	uint64_t v = top_value(p, sort_key), w = top_value(q, sort_key);

	if (v != w)
		return v > w ? -1 : 1;
	/* Ties stay where they are from refresh to refresh. */
	return p->channel.view.at.id < q->channel.view.at.id ? -1 : p->channel.view.at.id > q->channel.view.at.id;
}

void top_sort(struct top *top)
{
	sort_key = top->key;
	if (top->count)
		qsort(top->rows, top->count, sizeof(*top->rows), compare_rows);
}

void top_free(struct top *top)
{
	size_t i;

	for (i = 0; i < top->count; i++)
		channel_close(&top->rows[i].channel);
	free(top->rows);
	host_free(&top->host);
	top->rows = NULL;
	top->count = 0;
}

static const char *const names[] = { "messages", "bytes", "wakes", "queue", "lent", "age" };

const char *top_key_name(enum top_key key)
{
	return names[key];
}

bool top_key_parse(const char *text, enum top_key *key)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(text, names[i]))
			continue;
		*key = (enum top_key)i;
		return true;
	}
	return false;
}

json_t *top_json(const struct top *top)
{
	json_t *document = document_json("top", &top->host), *array = json_array(), *entry;
	size_t i;

	for (i = 0; i < top->count; i++) {
		entry = channel_json(&top->rows[i].channel);
		json_object_set_new(entry, "rates", rates_json(&top->rows[i].rates));
		json_array_append_new(array, entry);
	}
	json_object_set_new(document, "channels", array);
	return document;
}
