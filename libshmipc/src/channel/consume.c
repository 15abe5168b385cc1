// SPDX-License-Identifier: Apache-2.0
/*
 * consume.c - reading messages: the slot ring's consumer side; produce.c has the ordering table
 *
 * Everything here reads what the peer wrote, and may still write: each word is loaded once, checked,
 * then used. What cannot be is -EBADMSG, and the end of the channel.
 */
#include "ready.h"

/* How many slots ahead of the next one are fetched from the producer's cache, while there is more to consume. */
#define PREFETCH_AHEAD 6

static inline const struct slot *next_slot(const struct shmipc_channel *ch)
{
	return &ch->peer.ring[load_relaxed(&ch->in.next) & ch->in.mask];
}

static inline void prefetch_ahead(const struct shmipc_channel *ch)
{
	const struct slot *slot = &ch->peer.ring[(load_relaxed(&ch->in.next) + PREFETCH_AHEAD) & ch->in.mask];

	prefetch_read(slot);
	prefetch_read((const char *)slot + LAYOUT_LINE);
}

/*
 * One peek may find nothing, then a slot published just then, a hole, nothing behind it, and the message published just
 * then. A peer with whom it takes longer makes laps go back, or sends holes alone, to keep us here.
 */
#define LOOKS_MAX 5

cold void consume_wake(struct shmipc_channel *ch)
{
	uint32_t seq = doorbell_take(&ch->bell, SEQ_ASLEEP | SEQ_SPACE);

	if (seq)
		doorbell_ring(&ch->bell, seq);
}

static bool is_held(struct shmipc_channel *ch, uint32_t segment)
{
	bool held;

	lock_take(&ch->in.lock);
	held = ch->in.held[segment];
	lock_release(&ch->in.lock);
	return held || (ch->in.peeked && ch->in.slice != IN_SLOT && ch->in.slice >> 24 == segment);
}

/* Unmap what the peer retired; answer what it took back. memory.c has the four steps. */
static int see_retired(struct shmipc_channel *ch)
{
	uint32_t retired = load_acquire(&ch->peer.words->retired);
	uint32_t new = retired & ~load_relaxed(&ch->own.words->unmapped), i;

	for (; new; new &= new - 1) {
		i = (uint32_t)__builtin_ctz(new);
		/* What the application may still look at was not given back, so it cannot be retired. */
		if (is_held(ch, i))
			return break_channel(ch);
		ch->region.ops->forget(&ch->region, i, ch->peer.segment[i].base, ch->peer.segment[i].bytes);
		ch->in.mapped_bytes -= ch->peer.segment[i].bytes;
		ch->peer.segment[i].base = NULL;
		ch->peer.segment[i].bytes = 0;
	}
	store_release(&ch->own.words->unmapped, retired);
	store_relaxed(&ch->in.flush_owed, true);
	return 0;
}

int consume_chores(struct shmipc_channel *ch)
{
	int r = has_chores(ch) ? see_retired(ch) : 0;

	if (load_relaxed(&ch->in.flush_owed))
		consume_flush(ch);
	return r;
}

/* Map a segment that a slot names for the first time. */
static cold int map_segment(struct shmipc_channel *ch, uint32_t i)
{
	uint64_t bytes = 0;
	void *base = NULL;
	int r;

	r = ch->region.ops->find(&ch->region, i, ch->geometry.memory_max - ch->in.mapped_bytes, &base, &bytes);
	if (r == -EBADMSG)
		return break_channel(ch);
	if (r)
		return r; /* this process's own trouble: no memory, no mappings left; the message stays */
	ch->peer.segment[i].base = base;
	ch->peer.segment[i].bytes = bytes;
	ch->in.mapped_bytes += bytes;
	return 0;
}

/* Check where a slot says that its payload is. */
static int find_slice(struct shmipc_channel *ch, const struct slot *slot, struct shmipc_message *m)
{
	uint32_t slice = load_relaxed(&slot->ref.slice), segment = load_relaxed(&slot->ref.segment);
	uint64_t offset = load_relaxed(&slot->ref.offset), bytes;
	int r;

	if (slice >= ch->geometry.slices || segment >= SHMIPC_SEGMENTS)
		return break_channel(ch);
	if (unlikely(!ch->peer.segment[segment].base)) {
		/* The number may have been another segment's, which the peer waits to have unmapped. */
		r = consume_chores(ch);
		if (!r)
			r = map_segment(ch, segment);
		if (r)
			return r;
	}
	bytes = ch->peer.segment[segment].bytes;
	if (offset > bytes || m->size > bytes - offset)
		return break_channel(ch);
	m->data = ch->peer.segment[segment].base + offset;
	m->slice = slice | segment << 24;
	return 0;
}

/* The next slot is not published. 1: it is by now. */
static apart int find_nothing(struct shmipc_channel *ch)
{
	bool dead = ask_dead(ch, &ch->in.failures);
	int r;

	consume_show(ch);
	if (load_relaxed(&ch->in.flush_owed))
		consume_flush(ch);
	if (unlikely(has_chores(ch))) {
		r = see_retired(ch);
		if (r)
			return r;
	}
	if (likely(!is_readable(ch)))
		return dead ? -EPIPE : -EAGAIN; /* nothing there after it was seen dead */
	return load_acquire(&next_slot(ch)->lap) == load_relaxed(&ch->in.next) + 1 ? 1 : break_channel(ch);
}

/*
 * The producer is shown what was consumed by sixteenths of the ring while there is more to consume, and at once when there is
 * not: a line that it watches while the ring is full need not move with every message, and one that sleeps for room is not
 * woken for a slot or two. Whether it was shown.
 */
static inline bool step_over_slot(struct shmipc_channel *ch)
{
	uint32_t next = load_relaxed(&ch->in.next) + 1;
	bool more;

	store_relaxed(&ch->in.next, next);
	more = load_relaxed(&next_slot(ch)->lap) == next + 1;
	if (more)
		prefetch_ahead(ch);
	if (next & ch->in.show_mask && more)
		return false;
	store_release(&ch->own.words->cons, next); /* (N) */
	return true;
}

/* Remember what the application looks at. A slot that names something else than at the last peek is a lie. */
static inline int note_peeked(struct shmipc_channel *ch, const struct shmipc_message *m)
{
	if (unlikely(ch->in.peeked && ch->in.slice != m->slice))
		return break_channel(ch);
	ch->in.size = (uint32_t)m->size;
	ch->in.slice = m->slice;
	ch->in.peeked = true;
	return 0;
}

/* The next slot is published, and carries something else than a message that fits in it. 1: look at the next. */
static apart int peek_further(struct shmipc_channel *ch, const struct slot *slot, uint32_t what,
			      struct shmipc_message *m)
{
	int r;

	switch (what >> 16) {
	case SLOT_SLICE:
		r = find_slice(ch, slot, m);
		return r ? r : note_peeked(ch, m);
	case SLOT_HOLE:
		step_over_slot(ch);
		store_relaxed(&ch->in.flush_owed, true);
		return 1;
	default: /* or a message too long for its slot */
		return break_channel(ch);
	}
}

/* The next slot is published. 0; 1: it was a hole, look at the next; -errno. */
static inline int look_at_slot(struct shmipc_channel *ch, const struct slot *slot, struct shmipc_message *m)
{
	uint32_t what = load_relaxed(&slot->what), size = load_relaxed(&slot->size);

	m->size = size;
	m->tag = load_relaxed(&slot->tag);
	m->kind = (uint16_t)what;
	m->slot = load_relaxed(&ch->in.next);
	if (unlikely(what >> 16 != SLOT_INLINE || size > SHMIPC_INLINE_MAX))
		return peek_further(ch, slot, what, m);
	m->data = slot->bytes;
	m->slice = IN_SLOT;
	return note_peeked(ch, m);
}

int shmipc_channel_peek(struct shmipc_channel *ch, struct shmipc_message *message)
{
	int r = check_usable(ch), looks = 0;
	const struct slot *slot;

	if (unlikely(r))
		return r;
	do {
		slot = next_slot(ch);
		if (likely(load_acquire(&slot->lap) == load_relaxed(&ch->in.next) + 1)) /* (M) */
			r = look_at_slot(ch, slot, message);
		else
			r = find_nothing(ch);
	} while (unlikely(r > 0) && ++looks < LOOKS_MAX);
	return likely(r <= 0) ? r : break_channel(ch);
}

/* A message's slice is its number, and above that its segment's, which is below SHMIPC_SEGMENTS. */
static inline uint32_t number_of(uint32_t slice)
{
	return slice & 0xffffff;
}

static inline void give_back_locked(struct shmipc_channel *ch, uint32_t slice)
{
	uint32_t index = ch->in.ret_prod++;

	store_release(&ch->own.returns[index & (ch->geometry.slices - 1)], RETURN_ENTRY(index, slice)); /* (O) */
}

/* Room was given back, and is to be seen. A sleeper that is seen to want it is woken now, another one by consume_flush(). */
static inline void owe_flush(struct shmipc_channel *ch, bool shown)
{
	store_relaxed(&ch->in.flush_owed, true);
	if (unlikely(shown && doorbell_asks(&ch->bell, SEQ_ASLEEP | SEQ_SPACE)))
		consume_flush(ch);
}

static inline bool step_on(struct shmipc_channel *ch)
{
	count(&ch->own.tool->messages_received, 1);
	count(&ch->own.tool->bytes_received, ch->in.size);
	ch->in.peeked = false;
	return step_over_slot(ch);
}

apart int consume_give_back(struct shmipc_channel *ch, uint32_t message_slice)
{
	uint32_t slice = number_of(message_slice), segment = message_slice >> 24;
	uint64_t bit;
	bool kept;

	if (message_slice == IN_SLOT || slice >= ch->geometry.slices || segment >= SHMIPC_SEGMENTS)
		return -EINVAL;
	bit = 1ull << (slice % 64);
	lock_take(&ch->in.lock);
	kept = ch->in.kept[slice / 64] & bit;
	if (kept) {
		ch->in.kept[slice / 64] &= ~bit;
		ch->in.held[segment]--;
		give_back_locked(ch, slice);
	}
	lock_release(&ch->in.lock);
	if (!kept)
		return -EINVAL;
	full_barrier(); /* (B) of doorbell.h, behind (O) */
	if (unlikely(doorbell_asks(&ch->bell, SEQ_ASLEEP | SEQ_SPACE)))
		consume_wake(ch);
	return 0;
}

int shmipc_channel_release(struct shmipc_channel *ch, struct shmipc_message *message)
{
	bool shown = false;
	int r = check_usable(ch);

	if (unlikely(r))
		return r;
	if (unlikely(!ch->in.peeked || message->slot != load_relaxed(&ch->in.next)))
		return consume_give_back(ch, message->slice);
	if (ch->in.slice != IN_SLOT) {
		lock_take(&ch->in.lock);
		give_back_locked(ch, number_of(ch->in.slice));
		lock_release(&ch->in.lock);
		shown = true; /* a slice may be all that the producer waits for */
	}
	shown |= step_on(ch);
	owe_flush(ch, shown);
	return 0;
}

int consume_next(struct shmipc_channel *ch, struct shmipc_message *message)
{
	owe_flush(ch, step_on(ch));
	return shmipc_channel_peek(ch, message);
}

int shmipc_channel_keep(struct shmipc_channel *ch, struct shmipc_message *message)
{
	uint32_t slice;
	uint64_t bit;
	bool again;
	int r = check_usable(ch);

	if (r)
		return r;
	if (!ch->in.peeked || message->slot != load_relaxed(&ch->in.next))
		return -EINVAL;
	if (ch->in.slice == IN_SLOT)
		return -EOPNOTSUPP;
	slice = number_of(ch->in.slice);
	bit = 1ull << (slice % 64);
	lock_take(&ch->in.lock);
	again = ch->in.kept[slice / 64] & bit;
	if (!again) {
		ch->in.kept[slice / 64] |= bit;
		ch->in.held[ch->in.slice >> 24]++;
	}
	lock_release(&ch->in.lock);
	if (again) /* lent again before it was given back */
		return break_channel(ch);
	owe_flush(ch, step_on(ch));
	return 0;
}
