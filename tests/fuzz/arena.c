// SPDX-License-Identifier: Apache-2.0
/*
 * arena.c - the allocator against a map that says of every granule whose it is
 *
 * A deviation is an overlap, a piece outside its segment or shorter than asked for, a wrong count, or
 * memory that is free and whole and cannot be had.
 */
#include "shm/arena.h"

#include <string.h>

#include "input.h"

#define NUMBERS 64u
#define SEGMENTS 4u
#define GRANULES_MAX 256u

struct oracle {
	uint16_t owner[SEGMENTS][GRANULES_MAX]; /* 1 + slice number; 0: free */
	uint32_t granules[SEGMENTS];		/* 0: no such segment */
	bool closed[SEGMENTS];
	uint32_t lent_size[NUMBERS];
	bool lent[NUMBERS], used[NUMBERS];
	uint32_t segment[NUMBERS], at[NUMBERS], length[NUMBERS];
};

static void take(struct oracle *o, uint32_t n, const struct arena_piece *p)
{
	uint32_t i;

	check(!o->used[n] && p->segment < SEGMENTS && !o->closed[p->segment]);
	check(p->at + p->length <= o->granules[p->segment]);
	for (i = 0; i < p->length; i++) {
		check(!o->owner[p->segment][p->at + i]);
		o->owner[p->segment][p->at + i] = (uint16_t)(n + 1);
	}
	o->used[n] = true;
	o->segment[n] = p->segment;
	o->at[n] = p->at;
	o->length[n] = p->length;
}

static void give(struct oracle *o, uint32_t n, uint32_t from)
{
	uint32_t i;

	for (i = from; i < o->length[n]; i++) {
		check(o->owner[o->segment[n]][o->at[n] + i] == n + 1);
		o->owner[o->segment[n]][o->at[n] + i] = 0;
	}
	o->length[n] = from;
}

static bool is_empty(const struct oracle *o, uint32_t segment)
{
	uint32_t i;

	for (i = 0; i < o->granules[segment]; i++)
		if (o->owner[segment][i])
			return false;
	return true;
}

/* Whether an open segment has nothing in it and must therefore be able to take so many bytes. */
static bool must_fit(const struct oracle *o, uint64_t bytes)
{
	uint32_t i;

	for (i = 0; i < SEGMENTS; i++)
		if (o->granules[i] && !o->closed[i] && is_empty(o, i) &&
		    (uint64_t)o->granules[i] * ARENA_GRANULE >= arena_fit(bytes))
			return true;
	return false;
}

static void do_alloc(struct arena *a, struct oracle *o, struct input *in)
{
	uint64_t bytes = input_below(in, 20000);
	bool fits = must_fit(o, bytes);
	uint32_t n = arena_alloc(a, bytes);

	if (n == ARENA_NONE) {
		check(!fits);
		return;
	}
	check(n < NUMBERS && arena_is(a, n, SLICE_WRITING) && arena_length(a, n) >= bytes);
	check(arena_offset(a, n) % ARENA_GRANULE == 0);
	take(o, n, &a->pieces[n]);
}

static void do_lend(struct arena *a, struct oracle *o, uint32_t n, uint32_t size)
{
	if (!o->used[n] || o->lent[n])
		return;
	size %= (uint32_t)arena_length(a, n) + 1;
	arena_lend(a, n, size, 7, 7);
	check(arena_is(a, n, SLICE_LENT) && a->pieces[n].at == o->at[n] && arena_length(a, n) >= size &&
	      a->pieces[n].length <= o->length[n]);
	give(o, n, a->pieces[n].length);
	o->lent[n] = true;
	o->lent_size[n] = size;
}

static void do_free(struct arena *a, struct oracle *o, uint32_t n)
{
	if (!o->used[n])
		return;
	arena_free(a, n);
	give(o, n, 0);
	o->used[n] = o->lent[n] = false;
}

static void do_segment(struct arena *a, struct oracle *o, uint32_t i, uint32_t what)
{
	if (!o->granules[i]) {
		uint32_t granules = 1 + what % GRANULES_MAX;

		if (!arena_add(a, i, (uint64_t)granules * ARENA_GRANULE)) {
			o->granules[i] = granules;
			o->closed[i] = false;
		}
	} else if (!o->closed[i]) {
		arena_close(a, i);
		o->closed[i] = true;
	} else if (is_empty(o, i) && what % 2) {
		arena_remove(a, i);
		o->granules[i] = 0;
	} else {
		arena_reopen(a, i);
		o->closed[i] = false;
	}
}

static void compare(const struct arena *a, const struct oracle *o)
{
	uint64_t bytes = 0, lent_bytes = 0;
	uint32_t lent = 0, used = 0, i;

	for (i = 0; i < NUMBERS; i++) {
		used += o->used[i];
		lent += o->lent[i];
		lent_bytes += o->lent[i] ? o->lent_size[i] : 0;
	}
	for (i = 0; i < SEGMENTS; i++)
		bytes += (uint64_t)o->granules[i] * ARENA_GRANULE;
	check(a->used == used && a->lent == lent && a->lent_bytes == lent_bytes && a->bytes == bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct slice_entry table[NUMBERS];
	static struct oracle o;
	struct input in = { data, size };
	struct arena a;
	uint32_t i;

	memset(&o, 0, sizeof(o));
	check(!arena_init(&a, table, NUMBERS));
	while (in.left) {
		switch (input_below(&in, 8)) {
		case 0: do_segment(&a, &o, input_below(&in, SEGMENTS), input_below(&in, 65536)); break;
		case 1:
		case 2: do_lend(&a, &o, input_below(&in, NUMBERS), input_below(&in, 65536)); break;
		case 3:
		case 4: do_free(&a, &o, input_below(&in, NUMBERS)); break;
		default: do_alloc(&a, &o, &in);
		}
		compare(&a, &o);
	}
	for (i = 0; i < NUMBERS; i++)
		do_free(&a, &o, i);
	compare(&a, &o);
	for (i = 0; i < SEGMENTS; i++)
		check(!o.granules[i] || (a.segment[i].used == 0 && a.pieces[a.segment[i].first].length == o.granules[i]));
	arena_fini(&a);
	return 0;
}
