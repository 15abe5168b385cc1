/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BARE_RING_H
#define BENCH_BARE_RING_H

/*
 * The least that carries messages from one process to another through shared memory: a ring of slots of the
 * channel's own slot size, each with a sequence word that publishes it. No growth, no hostile peer, no wake-up:
 * whoever uses it (spin, eventfd, futex) brings its own way to wait. Single producer, single consumer. A message
 * that does not fit into its slot lies in a buffer that belongs to the slot, and is written and read there.
 *
 * producer                                consumer
 *   if (LOAD.acq cons leaves room) (A)      LOAD.acq slot's number   (C)
 *     STORE payload, len                    LOAD len, payload
 *     STORE.rel slot's number      (B)      STORE.rel cons           (D)
 *
 * (B) pairs with (C): a consumer that sees the number sees the message. (D) pairs with (A): a producer that sees cons
 * may reuse the slots before it, because the consumer's loads of them are over.
 *
 * When the sides take turns, (A) and (D) are left out: the peer's answer says that it has consumed everything.
 * That is how a hand-made exchange would do it, and it keeps a cache line out of the round trip.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport.h"

#define BARE_SLOT 128
#define BARE_INLINE 112
#define BARE_DEPTH 256u               /* slots, where messages are small */
#define BARE_BATCH (BARE_DEPTH / 2)
#define BARE_MEMORY (16u << 20)       /* of large messages' buffers, one direction */

struct bare_slot {
	_Atomic uint32_t number; /* of the message in it, counted from 1; stored last */
	uint32_t len;
	uint64_t spare;
	unsigned char payload[BARE_INLINE];
} __attribute__((aligned(BARE_SLOT)));

/* One direction. Each part has one writer, except the flags, which the two sides of a sleep share (futex only). */
struct bare_lane {
	_Atomic uint32_t cons __attribute__((aligned(BARE_SLOT)));
	_Atomic uint32_t data_wanted __attribute__((aligned(BARE_SLOT)));
	_Atomic uint32_t room_wanted __attribute__((aligned(BARE_SLOT)));
	struct bare_slot slot[BARE_DEPTH];
};

/* The private view of one direction, of its producer or its consumer. */
struct bare_ring {
	struct bare_lane *lane;
	unsigned char *buffers; /* NULL: messages ride in the slots */
	size_t stride;
	uint32_t depth;
	uint32_t next;      /* messages begun, or received */
	uint32_t published; /* messages the other side has been shown, or given back */
	uint32_t limit;     /* producer: cons as last loaded, plus depth */
	uint32_t group;     /* messages shown or given back together */
	bool alternating;
};

static inline uint32_t bare_depth(const struct plan *plan)
{
	uint32_t depth = BARE_DEPTH;

	if (plan->alternating)
		return 1;
	if (plan->size > BARE_INLINE)
		while (depth > 2 && depth >= 4 * plan->batch && depth * plan->size > BARE_MEMORY)
			depth /= 2;
	return depth;
}

static inline size_t bare_stride(const struct plan *plan)
{
	return plan->size > BARE_INLINE ? (plan->size + 4095) & ~(size_t)4095 : 0;
}

/* Bytes of the lane that @side writes; one that carries nothing has no buffers. */
static inline size_t bare_size(const struct plan *plan, int side)
{
	size_t buffers = side && plan->one_way ? 0 : bare_depth(plan) * bare_stride(plan);

	return ((sizeof(struct bare_lane) + 4095) & ~(size_t)4095) + buffers;
}

/* For a transport's prepare(), or as prepare(). */
static inline int bare_map(struct wiring *wiring, const struct plan *plan)
{
	return wiring_map(wiring, bare_size(plan, 0) + bare_size(plan, 1));
}

/* One side of a transport that uses two such rings; may be the first part of something larger. */
struct bare_end {
	struct end end;
	struct bare_ring out, in;
};

/* For attach(), or as attach(): the private views of what @end sends (direction end->side) and receives. */
static inline int bare_attach(struct end *end)
{
	struct bare_ring ring = {
		.stride = bare_stride(end->plan),
		.depth = bare_depth(end->plan),
		.limit = bare_depth(end->plan),
		.group = end->plan->batch,
		.alternating = end->plan->alternating,
	};
	unsigned char *base = end->wiring->memory;
	struct bare_ring *view[2] = { &((struct bare_end *)end)->out, &((struct bare_end *)end)->in };
	int i;

	for (i = 0; i < 2; i++) {
		int writer = end->side ^ i;
		unsigned char *lane = base + (writer ? bare_size(end->plan, 0) : 0);

		ring.lane = (struct bare_lane *)lane;
		ring.buffers = ring.stride ? lane + bare_size(end->plan, writer) - ring.depth * ring.stride : NULL;
		*view[i] = ring;
	}
	return 0;
}

static inline struct bare_slot *bare_slot(const struct bare_ring *ring)
{
	return &ring->lane->slot[ring->next & (ring->depth - 1)];
}

/* Where the next message lies, of @len bytes. */
static inline void *bare_payload(const struct bare_ring *ring, size_t len)
{
	if (len > BARE_INLINE)
		return ring->buffers + (ring->next & (ring->depth - 1)) * ring->stride;
	return bare_slot(ring)->payload;
}

/* Producer: is there a slot to write the next message into? */
static inline bool bare_has_room(struct bare_ring *out)
{
	if (out->next != out->limit)
		return true;
	if (out->alternating)
		out->limit = out->next + 1;
	else
		out->limit = atomic_load_explicit(&out->lane->cons, memory_order_acquire) + out->depth; /* (A) */
	return out->next != out->limit;
}

/* Producer: shows everything written so far to the consumer. */
static inline void bare_publish(struct bare_ring *out)
{
	while (out->published != out->next) {
		struct bare_slot *slot = &out->lane->slot[out->published & (out->depth - 1)];

		atomic_store_explicit(&slot->number, ++out->published, memory_order_release); /* (B) */
	}
}

/* Producer: the message at bare_payload() is complete. Returns true if this published it, and all before it. */
static inline bool bare_send(struct bare_ring *out, size_t len, bool more)
{
	bare_slot(out)->len = len;
	out->next++;
	if (more)
		return false;
	bare_publish(out);
	return true;
}

/* Consumer: is there a message at bare_payload()? */
static inline bool bare_has_message(struct bare_ring *in)
{
	return atomic_load_explicit(&bare_slot(in)->number, memory_order_acquire) == in->next + 1; /* (C) */
}

/* Consumer: gives everything received so far back to the producer. */
static inline void bare_give_back(struct bare_ring *in)
{
	in->published = in->next;
	atomic_store_explicit(&in->lane->cons, in->published, memory_order_release); /* (D) */
}

/* Consumer: the message at bare_payload() has been read. Returns true if this gave it back, and all before it. */
static inline bool bare_done(struct bare_ring *in)
{
	in->next++;
	if (in->alternating || in->next - in->published < in->group)
		return false;
	bare_give_back(in);
	return true;
}

#endif
