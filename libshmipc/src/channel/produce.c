// SPDX-License-Identifier: Apache-2.0
/*
 * produce.c - writing messages: the slot ring's producer side
 *
 * producer                                     consumer
 *   LOAD.acq cons                  (K)           LOAD.acq lap                   (M)
 *     STORE slot, or slice                         LOAD slot, or slice
 *   STORE.rel lap                  (L)           STORE.rel cons                 (N)
 *                                                STORE.rel return ring entry    (O)
 *
 * (L) pairs with (M): a consumer that sees the lap sees the slot and what it names.
 * (N) pairs with (K): a producer that sees cons may write the slot again, because the consumer's
 * loads of it are over. (O) pairs with the load in memory.c: likewise for a slice.
 * (L) is doorbell.h's publication (A); (N) and (O) are the ones of room.
 *
 * A small reservation stands in the next slot itself. Should another message be submitted first,
 * that slot is published as a hole, which the consumer steps over; its bytes stay where they are,
 * since the ring does not go round to it while it is open, and are copied to a slot on submit.
 */
#include <string.h>

#include "endpoint.h"

static inline struct slot *slot_of(struct shmipc_channel *ch, uint32_t index)
{
	return &ch->own.ring[index & ch->out.mask];
}

/* Look at what the peer consumed. 0 or -EBADMSG. */
static cold int refresh_limit(struct shmipc_channel *ch)
{
	struct producer *out = &ch->out;
	uint32_t cons = load_acquire(&ch->peer.words->cons), old = load_relaxed(&out->cons); /* (K) */

	if (cons - old > out->prod - old)
		return break_channel(ch);
	store_relaxed(&out->cons, cons);
	out->limit = cons + ch->geometry.slots;
	if (out->slot_open && out->limit - out->slot_at > ch->geometry.slots)
		out->limit = out->slot_at + ch->geometry.slots;
	return 0;
}

/* A new reservation takes a slot, and a second one for the hole that it may leave: see open. */
static inline bool has_slot(const struct shmipc_channel *ch, unsigned int flags)
{
	return ch->out.limit - ch->out.prod >= ch->out.open + 2 + (flags & SHMIPC_KEPT ? 0 : KEPT_SLOTS);
}

/* No slot seemed free, or it is a first call: 0 if one is after all. */
static cold int find_slot(struct shmipc_channel *ch, unsigned int flags)
{
	int r = refresh_limit(ch);

	if (r)
		return r;
	if (has_slot(ch, flags))
		return 0;
	if (ask_dead(ch, &ch->out.failures))
		return -EPIPE;
	/* What was given back so far is no news to one who waits for room. */
	memory_lock(ch);
	r = memory_collect_locked(ch);
	store_relaxed(&ch->out.starved, true);
	memory_unlock(ch);
	return r ? r : -EAGAIN;
}

static apart int reserve_slice(struct shmipc_channel *ch, size_t size, struct shmipc_buffer *buffer)
{
	const struct arena_piece *piece;
	uint32_t slice;
	int r;

	if (size > UINT32_MAX)
		return -EMSGSIZE;
	memory_lock(ch);
	r = memory_alloc_locked(ch, size, &slice);
	if (!r) {
		piece = &ch->out.arena.pieces[slice];
		buffer->data = ch->own.segment[piece->segment].base + arena_offset(&ch->out.arena, slice);
		buffer->size = arena_length(&ch->out.arena, slice);
		buffer->slice = slice;
	} else if (r == -EAGAIN) {
		/* What was consumed so far is no news to one who waits for room. */
		r = refresh_limit(ch) ?: -EAGAIN;
		store_relaxed(&ch->out.starved, true);
	}
	memory_unlock(ch);
	return r;
}

int shmipc_channel_reserve(struct shmipc_channel *ch, size_t size, unsigned int flags, struct shmipc_buffer *buffer)
{
	struct producer *out = &ch->out;
	int r = check_usable(ch);

	if (unlikely(r))
		return r;
	if (unlikely(flags & ~SHMIPC_KEPT))
		return -EINVAL;
	if (unlikely(load_relaxed(&ch->bell.dead)))
		return -EPIPE;
	if (unlikely(!has_slot(ch, flags))) {
		r = find_slot(ch, flags);
		if (r)
			return r;
	}
	if (likely(size <= SHMIPC_INLINE_MAX && !out->slot_open)) {
		out->slot_open = true;
		out->slot_at = out->prod;
		buffer->data = slot_of(ch, out->prod)->bytes;
		buffer->size = SHMIPC_INLINE_MAX;
		buffer->slice = IN_SLOT;
		buffer->slot = out->prod;
		out->open += 2;
	} else {
		r = reserve_slice(ch, size, buffer);
		if (r)
			return r;
		out->open++;
	}
	if (unlikely(load_relaxed(&out->starved)))
		store_relaxed(&out->starved, false);
	buffer->tag = 0;
	buffer->kind = 0;
	return 0;
}

/*
 * How many slots ahead of the next one are fetched from the consumer's cache. By the time they are written they are here; a store
 * that must wait for its line is waited for by the next locked instruction, which then costs more than all the rest of a message.
 */
#define PREFETCH_AHEAD 6

static inline void prefetch_ahead(struct shmipc_channel *ch, uint32_t bytes)
{
	struct slot *slot = slot_of(ch, ch->out.prod + PREFETCH_AHEAD);

	prefetch_write(slot);
	if (bytes > LAYOUT_LINE - offsetof(struct slot, bytes)) /* the others are likely to be as long as this one */
		prefetch_write((char *)slot + LAYOUT_LINE);
}

/* (L): everything of the slot is stored but its lap. */
static inline void publish_slot(struct shmipc_channel *ch, struct slot *slot, uint32_t size, uint32_t tag,
				uint32_t what)
{
	prefetch_ahead(ch, what >> 16 == SLOT_INLINE ? size : 0);
	store_relaxed(&slot->size, size);
	store_relaxed(&slot->tag, tag);
	store_relaxed(&slot->what, what);
	store_release(&slot->lap, ++ch->out.prod);
}

/* Another message goes first: the slot that an open reservation stands in becomes a hole. */
static cold void displace_slot(struct shmipc_channel *ch)
{
	publish_slot(ch, slot_of(ch, ch->out.prod), 0, 0, SLOT_HOLE << 16);
	ch->out.open--;
}

static inline bool is_displaced(const struct shmipc_channel *ch)
{
	return ch->out.slot_at != ch->out.prod;
}

/* A displaced reservation is submitted: its bytes go to the slot whose turn it is. */
static cold void move_slot(struct shmipc_channel *ch, struct slot *slot, size_t size)
{
	memcpy(slot->bytes, slot_of(ch, ch->out.slot_at)->bytes, size);
	ch->out.open--;
}

static inline uint32_t carry(enum slot_carry carry, uint16_t kind)
{
	return (uint32_t)carry << 16 | kind;
}

static int submit_in_slot(struct shmipc_channel *ch, const struct shmipc_buffer *buffer, size_t size)
{
	struct producer *out = &ch->out;
	struct slot *slot = slot_of(ch, out->prod);

	if (unlikely(!out->slot_open || buffer->slot != out->slot_at || size > SHMIPC_INLINE_MAX))
		return -EINVAL;
	if (unlikely(is_displaced(ch)))
		move_slot(ch, slot, size);
	else
		out->open -= 2;
	out->slot_open = false;
	publish_slot(ch, slot, (uint32_t)size, buffer->tag, carry(SLOT_INLINE, buffer->kind));
	return 0;
}

static apart int submit_slice(struct shmipc_channel *ch, const struct shmipc_buffer *buffer, size_t size)
{
	struct producer *out = &ch->out;
	struct arena *arena = &out->arena;
	struct slot *slot;
	uint32_t segment;
	uint64_t offset;

	memory_lock(ch);
	if (!arena_is(arena, buffer->slice, SLICE_WRITING) || size > arena_length(arena, buffer->slice)) {
		memory_unlock(ch);
		return -EINVAL;
	}
	segment = arena->pieces[buffer->slice].segment;
	offset = arena_offset(arena, buffer->slice);
	arena_lend(arena, buffer->slice, (uint32_t)size, buffer->tag, process_now_coarse_ms());
	memory_gauge_locked(ch);
	memory_unlock(ch);

	if (unlikely(out->slot_open && !is_displaced(ch)))
		displace_slot(ch);
	slot = slot_of(ch, out->prod);
	store_relaxed(&slot->ref.slice, buffer->slice);
	store_relaxed(&slot->ref.segment, segment);
	store_relaxed(&slot->ref.offset, offset);
	publish_slot(ch, slot, (uint32_t)size, buffer->tag, carry(SLOT_SLICE, buffer->kind));
	return 0;
}

/* A reservation of memory is submitted: the slot that it was promised is taken. */
static int submit_promised(struct shmipc_channel *ch, const struct shmipc_buffer *buffer, size_t size)
{
	int r = submit_slice(ch, buffer, size);

	if (!r)
		ch->out.open--;
	return r;
}

/*
 * The peer has been awake for many messages: leave out the barrier from now on, and let the peer pay
 * for it when it does go to sleep. Said before a full barrier: doorbell.h.
 */
cold void produce_start_skipping(struct shmipc_channel *ch)
{
	ch->out.ring_mark = ch->out.prod;
	if (SHMIPC_TSAN || !process_may_skip() || !load_relaxed(&ch->peer.words->pays))
		return;
	store_relaxed(&ch->own.words->skip, 1);
	full_barrier();
	ch->out.skip = true;
}

/* The peer sleeps too often for that. */
void produce_stop_skipping(struct shmipc_channel *ch)
{
	full_barrier();
	store_release(&ch->own.words->skip, 0);
	ch->out.skip = false;
}

static cold int ring_sleeper(struct shmipc_channel *ch, unsigned int flags)
{
	struct producer *out = &ch->out;
	uint32_t seq = doorbell_take(&ch->bell, SEQ_ASLEEP), owed;

	if (seq) {
		if (out->skip && out->prod - out->ring_mark < SKIP_AFTER)
			produce_stop_skipping(ch);
		out->ring_mark = out->prod;
	}
	if (flags & SHMIPC_LAZY) {
		if (seq)
			store_relaxed(&ch->bell.owed, seq);
		return 0;
	}
	owed = atomic_exchange_explicit(&ch->bell.owed, 0, memory_order_relaxed);
	if (!seq)
		seq = owed;
	return seq ? doorbell_ring(&ch->bell, seq) : 0;
}

/* What is behind a publication: doorbell.h's (B) and (C). */
static inline int step_doorbell(struct shmipc_channel *ch, unsigned int flags)
{
	struct producer *out = &ch->out;

	if (out->skip) {
		compiler_barrier();
	} else {
		full_barrier(); /* (B) */
		if (unlikely(out->prod - out->ring_mark >= SKIP_AFTER))
			produce_start_skipping(ch);
	}
	if (likely(!doorbell_asks(&ch->bell, SEQ_ASLEEP) && /* (C) */
		   (flags & SHMIPC_LAZY || !load_relaxed(&ch->bell.owed))))
		return 0;
	return ring_sleeper(ch, flags);
}

static inline void finish_submit(struct shmipc_channel *ch, size_t size, unsigned int flags)
{
	count(&ch->own.tool->messages_sent, 1);
	count(&ch->own.tool->bytes_sent, size);
	if (!(flags & SHMIPC_MORE))
		step_doorbell(ch, flags); /* a dead peer is the next call's to report */
}

int shmipc_channel_submit(struct shmipc_channel *ch, struct shmipc_buffer *buffer, size_t size, unsigned int flags)
{
	int r = check_usable(ch);

	if (unlikely(r))
		return r;
	if (unlikely(flags & ~(SHMIPC_MORE | SHMIPC_LAZY)))
		return -EINVAL;
	r = likely(buffer->slice == IN_SLOT) ? submit_in_slot(ch, buffer, size) : submit_promised(ch, buffer, size);
	if (unlikely(r))
		return r;
	finish_submit(ch, size, flags);
	return 0;
}

int shmipc_channel_cancel(struct shmipc_channel *ch, struct shmipc_buffer *buffer)
{
	int r = check_usable(ch);

	if (r)
		return r;
	if (buffer->slice == IN_SLOT) {
		if (!ch->out.slot_open || buffer->slot != ch->out.slot_at)
			return -EINVAL;
		ch->out.open -= is_displaced(ch) ? 1 : 2;
		ch->out.slot_open = false;
		return 0;
	}
	memory_lock(ch);
	if (arena_is(&ch->out.arena, buffer->slice, SLICE_WRITING)) {
		arena_free(&ch->out.arena, buffer->slice);
		ch->out.open--;
	} else {
		r = -EINVAL;
	}
	memory_unlock(ch);
	return r;
}

static void free_slice(struct shmipc_channel *ch, uint32_t slice)
{
	memory_lock(ch);
	arena_free(&ch->out.arena, slice);
	memory_unlock(ch);
}

int produce_alloc(struct shmipc_channel *ch, size_t size, struct shmipc_buffer *buffer)
{
	int r = check_usable(ch);

	if (r)
		return r;
	if (load_relaxed(&ch->bell.dead))
		return -EPIPE;
	r = reserve_slice(ch, size, buffer);
	if (!r && load_relaxed(&ch->out.starved))
		store_relaxed(&ch->out.starved, false);
	return r;
}

int produce_publish(struct shmipc_channel *ch, const struct shmipc_buffer *buffer, size_t size, unsigned int flags)
{
	int r = check_usable(ch);

	if (unlikely(r))
		return r;
	if (load_relaxed(&ch->bell.dead))
		return -EPIPE;
	if (unlikely(!has_slot(ch, flags))) {
		r = find_slot(ch, flags);
		if (r)
			return r;
	}
	r = submit_slice(ch, buffer, size);
	if (!r)
		finish_submit(ch, size, flags);
	return r;
}

void produce_starve(struct shmipc_channel *ch)
{
	memory_lock(ch);
	if (!refresh_limit(ch) && !memory_collect_locked(ch))
		store_relaxed(&ch->out.starved, true);
	memory_unlock(ch);
}

void produce_free(struct shmipc_channel *ch, const struct shmipc_buffer *buffer)
{
	if (!check_usable(ch))
		free_slice(ch, buffer->slice);
}

/* One that fits in a slot, and the slot is free: straight into the ring. */
static inline int push_in_slot(struct shmipc_channel *ch, const void *data, size_t size, uint32_t tag, uint16_t kind,
			       unsigned int flags)
{
	struct slot *slot = slot_of(ch, ch->out.prod);

	if (unlikely(load_relaxed(&ch->out.starved)))
		store_relaxed(&ch->out.starved, false);
	if (size)
		memcpy(slot->bytes, data, size);
	publish_slot(ch, slot, (uint32_t)size, tag, carry(SLOT_INLINE, kind));
	finish_submit(ch, size, flags);
	return 0;
}

int shmipc_channel_push(struct shmipc_channel *ch, const void *data, size_t size, uint32_t tag, uint16_t kind,
			unsigned int flags)
{
	struct shmipc_buffer buffer;
	int r = check_usable(ch);

	if (unlikely(r))
		return r;
	if (unlikely(flags & ~(SHMIPC_KEPT | SHMIPC_MORE | SHMIPC_LAZY)))
		return -EINVAL;
	if (likely(size <= SHMIPC_INLINE_MAX && !ch->out.slot_open && has_slot(ch, flags) &&
		   !load_relaxed(&ch->bell.dead)))
		return push_in_slot(ch, data, size, tag, kind, flags);
	r = shmipc_channel_reserve(ch, size, flags & SHMIPC_KEPT, &buffer);
	if (unlikely(r))
		return r;
	if (size)
		memcpy(buffer.data, data, size);
	buffer.tag = tag;
	buffer.kind = kind;
	return shmipc_channel_submit(ch, &buffer, size, flags & ~SHMIPC_KEPT);
}

int shmipc_channel_ring(struct shmipc_channel *ch)
{
	int r = check_usable(ch);

	if (r)
		return r;
	return step_doorbell(ch, 0);
}
