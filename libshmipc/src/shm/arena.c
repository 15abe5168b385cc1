// SPDX-License-Identifier: Apache-2.0
/*
 * arena.c - a two-level segregated fit allocator with its bookkeeping beside the memory
 *
 * A segment is a row of pieces linked by before and after; no two free ones are neighbours. A
 * number is in exactly one of: the list of unused numbers, one free list, or somebody's hands.
 */
#include "arena.h"

#include <errno.h>
#include <stdlib.h>

static unsigned int highest_bit(uint32_t n)
{
	return 31 - (unsigned int)__builtin_clz(n);
}

/* The class of pieces of that length: those of class c, subclass s are (8 + s) << (c - 1) or longer. */
static void find_class(uint32_t length, uint32_t *class, uint32_t *subclass)
{
	unsigned int high;

	if (length < ARENA_SUBCLASSES) {
		*class = 0;
		*subclass = length;
		return;
	}
	high = highest_bit(length);
	*class = high - ARENA_SUBCLASS_BITS + 1;
	*subclass = (length >> (high - ARENA_SUBCLASS_BITS)) & (ARENA_SUBCLASSES - 1);
}

/* The least length at or above this one that begins a class: any piece of that class is long enough. */
static uint32_t round_to_class(uint32_t length)
{
	uint32_t step;

	if (length < ARENA_SUBCLASSES)
		return length;
	step = 1u << (highest_bit(length) - ARENA_SUBCLASS_BITS);
	return (length + step - 1) & ~(step - 1);
}

static uint32_t to_granules(uint64_t bytes)
{
	return bytes ? (uint32_t)((bytes + ARENA_GRANULE - 1) / ARENA_GRANULE) : 1;
}

static void mirror_piece(struct arena *a, uint32_t n)
{
	const struct arena_piece *p = &a->pieces[n];
	struct slice_entry *e = &a->table[n];

	store_relaxed(&e->segment, p->segment);
	store_relaxed(&e->offset, (uint64_t)p->at * ARENA_GRANULE);
	store_relaxed(&e->granules, p->length);
	store_relaxed(&e->state, p->state);
}

static uint32_t take_number(struct arena *a)
{
	uint32_t n = a->unused;

	if (n != ARENA_NONE)
		a->unused = a->pieces[n].list_next;
	return n;
}

static void give_number(struct arena *a, uint32_t n)
{
	a->pieces[n].state = SLICE_UNUSED;
	a->pieces[n].list_next = a->unused;
	a->unused = n;
	store_relaxed(&a->table[n].state, SLICE_UNUSED);
}

static void link_free(struct arena *a, uint32_t n)
{
	struct arena_piece *p = &a->pieces[n];
	uint32_t class, subclass, *head;

	p->state = SLICE_FREE;
	mirror_piece(a, n);
	if (a->segment[p->segment].closed)
		return;
	find_class(p->length, &class, &subclass);
	head = &a->heads[class][subclass];
	p->list_prev = ARENA_NONE;
	p->list_next = *head;
	if (*head != ARENA_NONE)
		a->pieces[*head].list_prev = n;
	*head = n;
	a->class_map |= 1u << class;
	a->subclass_map[class] |= 1u << subclass;
}

static void unlink_free(struct arena *a, uint32_t n)
{
	struct arena_piece *p = &a->pieces[n];
	uint32_t class, subclass;

	if (a->segment[p->segment].closed)
		return;
	if (p->list_next != ARENA_NONE)
		a->pieces[p->list_next].list_prev = p->list_prev;
	if (p->list_prev != ARENA_NONE) {
		a->pieces[p->list_prev].list_next = p->list_next;
		return;
	}
	find_class(p->length, &class, &subclass);
	a->heads[class][subclass] = p->list_next;
	if (p->list_next != ARENA_NONE)
		return;
	a->subclass_map[class] &= ~(1u << subclass);
	if (!a->subclass_map[class])
		a->class_map &= ~(1u << class);
}

/* How many pieces of a list whose pieces may be too short are looked at. */
#define FIT_TRIES 4

/* A piece that was freed lately and is just long enough, if the length begins no class. */
static uint32_t find_fit(const struct arena *a, uint32_t length)
{
	uint32_t class, subclass, n, i;

	find_class(length, &class, &subclass);
	n = a->heads[class][subclass];
	for (i = 0; i < FIT_TRIES && n != ARENA_NONE; i++) {
		if (a->pieces[n].length >= length)
			return n;
		n = a->pieces[n].list_next;
	}
	return ARENA_NONE;
}

/* The first piece of the first list whose every piece is long enough. */
static uint32_t find_free(const struct arena *a, uint32_t length)
{
	uint32_t class, subclass, map, fit = find_fit(a, length);

	if (fit != ARENA_NONE)
		return fit;
	find_class(round_to_class(length), &class, &subclass);
	if (class >= ARENA_CLASSES)
		return ARENA_NONE;
	map = a->subclass_map[class] & (~0u << subclass);
	if (!map) {
		map = class + 1 < ARENA_CLASSES ? a->class_map & (~0u << (class + 1)) : 0;
		if (!map)
			return ARENA_NONE;
		class = (uint32_t)__builtin_ctz(map);
		map = a->subclass_map[class];
	}
	return a->heads[class][__builtin_ctz(map)];
}

/* Cut what is behind `length` off a piece, as a piece that is in no list yet; ARENA_NONE: left whole. */
static uint32_t split_piece(struct arena *a, uint32_t n, uint32_t length)
{
	struct arena_piece *p = &a->pieces[n], *rest;
	uint32_t r;

	if (p->length == length)
		return ARENA_NONE;
	r = take_number(a);
	if (r == ARENA_NONE)
		return ARENA_NONE;
	rest = &a->pieces[r];
	rest->segment = p->segment;
	rest->at = p->at + length;
	rest->length = p->length - length;
	rest->before = n;
	rest->after = p->after;
	if (p->after != ARENA_NONE)
		a->pieces[p->after].before = r;
	p->after = r;
	p->length = length;
	return r;
}

/* Make a piece, which is in no list, free, together with its free neighbours. */
static void free_piece(struct arena *a, uint32_t n)
{
	struct arena_piece *p = &a->pieces[n];
	uint32_t other = p->after;

	if (other != ARENA_NONE && a->pieces[other].state == SLICE_FREE) {
		unlink_free(a, other);
		p->length += a->pieces[other].length;
		p->after = a->pieces[other].after;
		if (p->after != ARENA_NONE)
			a->pieces[p->after].before = n;
		give_number(a, other);
	}
	other = p->before;
	if (other != ARENA_NONE && a->pieces[other].state == SLICE_FREE) {
		unlink_free(a, other);
		a->pieces[other].length += p->length;
		a->pieces[other].after = p->after;
		if (p->after != ARENA_NONE)
			a->pieces[p->after].before = other;
		give_number(a, n);
		n = other;
	}
	link_free(a, n);
}

int arena_init(struct arena *a, struct slice_entry *table, uint32_t count)
{
	uint32_t i, j;

	*a = (struct arena){ .table = table, .count = count, .unused = ARENA_NONE };
	a->pieces = calloc(count, sizeof(*a->pieces));
	if (!a->pieces)
		return -ENOMEM;
	for (i = count; i-- > 0;)
		give_number(a, i);
	for (i = 0; i < ARENA_CLASSES; i++)
		for (j = 0; j < ARENA_SUBCLASSES; j++)
			a->heads[i][j] = ARENA_NONE;
	return 0;
}

void arena_fini(struct arena *a)
{
	free(a->pieces);
	a->pieces = NULL;
}

int arena_add(struct arena *a, uint32_t segment, uint64_t bytes)
{
	struct arena_piece *p;
	uint32_t n = take_number(a);

	if (n == ARENA_NONE)
		return -EAGAIN;
	p = &a->pieces[n];
	*p = (struct arena_piece){
		.length = (uint32_t)(bytes / ARENA_GRANULE),
		.before = ARENA_NONE,
		.after = ARENA_NONE,
		.segment = (uint8_t)segment,
	};
	a->segment[segment] = (struct arena_segment){ .bytes = bytes, .first = n };
	a->bytes += bytes;
	link_free(a, n);
	return 0;
}

void arena_close(struct arena *a, uint32_t segment)
{
	struct arena_segment *s = &a->segment[segment];
	uint32_t n;

	for (n = s->first; n != ARENA_NONE; n = a->pieces[n].after)
		if (a->pieces[n].state == SLICE_FREE)
			unlink_free(a, n);
	s->closed = true;
}

void arena_reopen(struct arena *a, uint32_t segment)
{
	struct arena_segment *s = &a->segment[segment];
	uint32_t n;

	s->closed = false;
	for (n = s->first; n != ARENA_NONE; n = a->pieces[n].after)
		if (a->pieces[n].state == SLICE_FREE)
			link_free(a, n);
}

void arena_remove(struct arena *a, uint32_t segment)
{
	struct arena_segment *s = &a->segment[segment];

	a->bytes -= s->bytes;
	give_number(a, s->first);
	*s = (struct arena_segment){ .bytes = 0 };
}

uint32_t arena_alloc(struct arena *a, uint64_t bytes)
{
	uint32_t length = to_granules(bytes), n = find_free(a, length), rest;
	struct arena_piece *p;

	if (n == ARENA_NONE)
		return ARENA_NONE;
	unlink_free(a, n);
	rest = split_piece(a, n, length);
	if (rest != ARENA_NONE)
		link_free(a, rest);
	p = &a->pieces[n];
	p->state = SLICE_WRITING;
	mirror_piece(a, n);
	a->segment[p->segment].used++;
	a->segment[p->segment].touched = true;
	a->used++;
	return n;
}

void arena_lend(struct arena *a, uint32_t n, uint32_t size, uint32_t tag, uint32_t lent_ms)
{
	struct arena_piece *p = &a->pieces[n];
	struct slice_entry *e = &a->table[n];
	uint32_t rest = split_piece(a, n, to_granules(size));

	if (rest != ARENA_NONE) {
		free_piece(a, rest);
		store_relaxed(&e->granules, p->length);
	}
	p->state = SLICE_LENT;
	p->size = size;
	a->lent++;
	a->lent_bytes += size;
	store_relaxed(&e->size, size);
	store_relaxed(&e->tag, tag);
	store_relaxed(&e->lent_ms, lent_ms);
	store_relaxed(&e->state, SLICE_LENT);
}

void arena_free(struct arena *a, uint32_t n)
{
	struct arena_piece *p = &a->pieces[n];

	if (p->state == SLICE_LENT) {
		a->lent--;
		a->lent_bytes -= p->size;
	}
	a->used--;
	a->segment[p->segment].used--;
	free_piece(a, n);
}

uint64_t arena_fit(uint64_t bytes)
{
	return (uint64_t)round_to_class(to_granules(bytes)) * ARENA_GRANULE;
}
