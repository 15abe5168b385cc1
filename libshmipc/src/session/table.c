// SPDX-License-Identifier: Apache-2.0
/*
 * table.c - stream numbers to streams: open addressing with linear probing
 *
 * A session's numbers are handed out one after the other, so any hash would do; the multiplier is random
 * because the peer chooses half of them, and may choose them to collide.
 */
#include <stdlib.h>
#include <sys/random.h>

#include "internal.h"

#define SLOTS_MIN 16u

/* In the place of a stream that was removed: a search goes on behind it. Its id is 0, which no stream has. */
static struct shmipc_stream tombstone;

int table_init(struct table *t)
{
	if (getrandom(&t->multiplier, sizeof(t->multiplier), GRND_NONBLOCK) != sizeof(t->multiplier))
		t->multiplier = (uint32_t)process_now(); /* early in boot there is no attacker yet */
	t->multiplier |= 1;
	t->slots = calloc(SLOTS_MIN, sizeof(struct shmipc_stream *));
	t->mask = SLOTS_MIN - 1;
	return t->slots ? 0 : -ENOMEM;
}

void table_fini(struct table *t)
{
	free(t->slots);
	t->slots = NULL;
}

static void place(struct table *t, struct shmipc_stream *stream)
{
	uint32_t at = table_slot(t, stream->id);

	while (t->slots[at & t->mask])
		at++;
	t->slots[at & t->mask] = stream;
}

/* Room for one more, at most three quarters full; a table of tombstones is made anew too. */
static int make_room(struct table *t)
{
	uint32_t slots = t->mask + 1, size = slots, i;
	struct shmipc_stream **old = t->slots;

	if ((t->used + 1) * 4ull <= slots * 3ull)
		return 0;
	while ((t->count + 1) * 2ull > size)
		size *= 2;
	while (size > SLOTS_MIN && (t->count + 1) * 8ull < size)
		size /= 2;
	t->slots = calloc(size, sizeof(struct shmipc_stream *));
	if (!t->slots) {
		t->slots = old;
		return t->used < t->mask ? 0 : -ENOMEM;
	}
	t->mask = size - 1;
	for (i = 0; i < slots; i++)
		if (old[i] && old[i] != &tombstone)
			place(t, old[i]);
	t->used = t->count;
	free(old);
	return 0;
}

int table_add(struct table *t, struct shmipc_stream *stream)
{
	int r = make_room(t);

	if (r)
		return r;
	place(t, stream);
	t->used++;
	t->count++;
	return 0;
}

void table_remove(struct table *t, struct shmipc_stream *stream)
{
	uint32_t at = table_slot(t, stream->id);

	while (t->slots[at & t->mask] != stream)
		at++;
	at &= t->mask;
	t->count--;
	/* At the end of a run no search goes on behind it. */
	if (t->slots[(at + 1) & t->mask]) {
		t->slots[at] = &tombstone;
		return;
	}
	do {
		t->slots[at] = NULL;
		t->used--;
		at = (at - 1) & t->mask;
	} while (t->slots[at] == &tombstone);
}

void table_for_each(const struct table *t, void (*visit)(struct shmipc_stream *stream, void *arg), void *arg)
{
	uint32_t i;

	for (i = 0; i <= t->mask; i++)
		if (t->slots[i] && t->slots[i] != &tombstone)
			visit(t->slots[i], arg);
}
