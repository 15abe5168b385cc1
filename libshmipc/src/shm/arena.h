/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - which bytes of the own lane's segments are free
 *
 * Hands out contiguous slices, in constant time, and takes them back in any order. All that it
 * decides by is private memory; what it knows is written to the slice table in the lane too, for
 * tools, and never read from there. It maps nothing and knows no peer.
 *
 * The scheme is the two-level segregated fit of Masmano, Ripoll, Crespo and Real (TLSF, 2004): free
 * pieces stand in lists by size class, two bitmaps find the first list that is sure to fit, and
 * neighbours join at once. Bookkeeping stands beside the memory, not in it.
 *
 * Threads: none of its own; the caller holds a lock.
 */
#ifndef SHMIPC_ARENA_H
#define SHMIPC_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

#define ARENA_GRANULE 64u
#define ARENA_NONE UINT32_MAX
#define ARENA_SUBCLASS_BITS 3
#define ARENA_SUBCLASSES (1u << ARENA_SUBCLASS_BITS)
#define ARENA_CLASSES 32u

/* One piece of memory, free or not; its number is the slice number. Sizes count granules. */
struct arena_piece {
	uint32_t at;
	uint32_t length;
	uint32_t before, after;	       /* neighbours in the segment */
	uint32_t list_prev, list_next; /* in a free list, or the list of unused numbers */
	uint32_t size;		       /* lent: bytes of the message */
	uint8_t segment;
	uint8_t state; /* enum slice_state */
};

struct arena_segment {
	uint64_t bytes; /* 0: there is none with this number */
	uint32_t first; /* its first piece */
	uint32_t used;	/* pieces that are not free */
	bool touched;	/* something was allocated since arena_segment_idle() last asked */
	bool closed;	/* being retired: nothing is allocated from it */
};

struct arena {
	struct arena_piece *pieces;
	struct slice_entry *table;
	uint32_t count;
	uint32_t unused;
	uint32_t class_map;
	uint8_t subclass_map[ARENA_CLASSES];
	uint32_t heads[ARENA_CLASSES][ARENA_SUBCLASSES];
	struct arena_segment segment[SHMIPC_SEGMENTS];
	uint64_t bytes;	     /* of all segments */
	uint64_t lent_bytes; /* of messages lent */
	uint32_t lent;	     /* slices lent */
	uint32_t used;	     /* slices lent or being written */
};

/**
 * arena_init - an arena without memory
 * @table: the slice table to mirror to, @count entries
 *
 * Returns 0 or -ENOMEM; arena_fini() frees it.
 */
int arena_init(struct arena *arena, struct slice_entry *table, uint32_t count);
void arena_fini(struct arena *arena);

/**
 * arena_add - new memory
 * @segment: a number that has none
 *
 * Returns 0, or -EAGAIN: every slice number is in use.
 */
int arena_add(struct arena *arena, uint32_t segment, uint64_t bytes);

/**
 * arena_close - allocate nothing from a segment any more; arena_remove or arena_reopen follows
 */
void arena_close(struct arena *arena, uint32_t segment);
void arena_reopen(struct arena *arena, uint32_t segment);

/**
 * arena_remove - forget a closed segment of which nothing is in use
 */
void arena_remove(struct arena *arena, uint32_t segment);

/**
 * arena_alloc - take a slice of at least @bytes
 *
 * Returns its number, or ARENA_NONE.
 */
uint32_t arena_alloc(struct arena *arena, uint64_t bytes);

/**
 * arena_lend - a slice being written is the peer's to read from now on
 * @size: bytes of it that the message takes; whole granules behind them are free again
 * @lent_ms: when, for tools
 */
void arena_lend(struct arena *arena, uint32_t number, uint32_t size, uint32_t tag, uint32_t lent_ms);

/**
 * arena_free - a slice that is being written or lent is free
 */
void arena_free(struct arena *arena, uint32_t number);

/**
 * arena_is - whether a number, from anywhere, names a slice in that state
 */
static inline bool arena_is(const struct arena *arena, uint32_t number, enum slice_state state)
{
	return number < arena->count && arena->pieces[number].state == state;
}

static inline uint64_t arena_offset(const struct arena *arena, uint32_t number)
{
	return (uint64_t)arena->pieces[number].at * ARENA_GRANULE;
}

static inline uint64_t arena_length(const struct arena *arena, uint32_t number)
{
	return (uint64_t)arena->pieces[number].length * ARENA_GRANULE;
}

/**
 * arena_fit - the size of a segment in which a slice of @bytes is sure to fit
 */
uint64_t arena_fit(uint64_t bytes);

#endif /* SHMIPC_ARENA_H */
