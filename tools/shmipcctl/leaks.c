// SPDX-License-Identifier: Apache-2.0
/*
 * leaks.c - which slices have been lent for too long
 */
#include "leaks.h"

#include <errno.h>
#include <stdlib.h>

#include "decode.h"

static int add(struct leaks *leaks, const struct leak *leak)
{
	size_t room = leaks->room ? leaks->room * 2 : 64;
	struct leak *more;

	if (leaks->count == leaks->room) {
		more = realloc(leaks->list, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		leaks->list = more;
		leaks->room = room;
	}
	leaks->list[leaks->count++] = *leak;
	return 0;
}

static int find_in_lane(const struct image_pair *pair, int e, uint32_t now_ms, uint64_t older_ms, struct leaks *leaks)
{
	const struct image *lane = &pair->lane[e], *peer = &pair->lane[!e];
	struct slice_set returned, queued;
	uint32_t i;
	int r = 0;

	if (lane->fault)
		return 0;
	decode_returned(lane, peer, &returned);
	decode_queued(lane, peer, &queued);
	for (i = 0; i < lane->geometry.slices && !r; i++) {
		struct slice_view slice = image_slice(lane, i);
		struct leak leak = { .endpoint = e, .number = i, .queued = slice_set_has(&queued, i) };

		if (slice.state != SLICE_LENT || slice_set_has(&returned, i))
			continue;
		leak.age_ms = decode_age(slice.lent_ms, now_ms);
		if (leak.age_ms < older_ms)
			continue;
		leak.stream = slice.tag;
		leak.segment = slice.segment;
		leak.offset = slice.offset;
		leak.size = slice.size;
		r = add(leaks, &leak);
	}
	return r;
}

int leaks_find(const struct image_pair *pair, uint32_t now_ms, uint64_t older_ms, struct leaks *leaks)
{
	int e, r = 0;

	*leaks = (struct leaks){ .list = NULL };
	for (e = 0; e < 2 && !r; e++)
		r = find_in_lane(pair, e, now_ms, older_ms, leaks);
	return r;
}

void leaks_free(struct leaks *leaks)
{
	free(leaks->list);
	*leaks = (struct leaks){ .list = NULL };
}

static int by_age(const void *a, const void *b)
{
	const struct leak *l = a, *m = b;

	if (l->age_ms != m->age_ms)
		return l->age_ms > m->age_ms ? -1 : 1;
	return l->number < m->number ? -1 : l->number > m->number;
}

static int by_size(const void *a, const void *b)
{
	const struct leak *l = a, *m = b;

	return l->size != m->size ? (l->size > m->size ? -1 : 1) : by_age(a, b);
}

static int by_stream(const void *a, const void *b)
{
	const struct leak *l = a, *m = b;

	return l->stream != m->stream ? (l->stream < m->stream ? -1 : 1) : by_age(a, b);
}

void leaks_sort(struct leaks *leaks, enum leak_order order)
{
	if (leaks->count)
		qsort(leaks->list, leaks->count, sizeof(*leaks->list),
		      order == LEAKS_BY_AGE    ? by_age
		      : order == LEAKS_BY_SIZE ? by_size
					       : by_stream);
}
