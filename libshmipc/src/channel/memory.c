// SPDX-License-Identifier: Apache-2.0
/*
 * memory.c - the own lane's payload memory: taking give-backs, growing, giving idle segments up
 *
 * A segment goes in four steps, each a bit that its writer alone changes:
 *
 *	owner	nothing of it is lent: allocates no more from it, sets `retired`
 *	reader	unmaps it, sets `unmapped`
 *	owner	frees it, clears `retired`
 *	reader	clears `unmapped`: the number may name another segment
 *
 * so a reader never has an old segment mapped under a number that a new slot names. A reader that
 * never answers keeps the memory charged to the owner, within memory_max, and no more.
 */
#include <unistd.h>

#include "endpoint.h"

static uint64_t round_to_page(uint64_t bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) & ~(page - 1);
}

/* An entry of the return ring: true: there is one, in *slice. The peer wrote it: check it. */
static bool next_return(const struct shmipc_channel *ch, uint32_t *slice)
{
	uint32_t next = load_relaxed(&ch->own.words->ret_cons); /* our own word */
	uint64_t entry = load_acquire(&ch->peer.returns[next & (ch->geometry.slices - 1)]);

	*slice = (uint32_t)entry;
	return (uint32_t)(entry >> 32) == next + 1;
}

bool memory_came_back(const struct shmipc_channel *ch)
{
	uint32_t slice;

	return next_return(ch, &slice) || load_acquire(&ch->peer.words->unmapped) != load_relaxed(&ch->out.unmapped) ||
	       load_acquire(&ch->peer.words->freed) != load_relaxed(&ch->out.freed);
}

static void free_segment(struct shmipc_channel *ch, uint32_t segment)
{
	struct producer *out = &ch->out;

	ch->region.ops->remove(&ch->region, segment, ch->own.segment[segment].base, ch->own.segment[segment].bytes);
	ch->own.segment[segment].base = NULL;
	ch->own.segment[segment].bytes = 0;
	arena_remove(&out->arena, segment);
	store_relaxed(&ch->own.tool->memory_bytes, ch->geometry.head_bytes + out->arena.bytes);
	out->retiring &= ~(1u << segment);
	out->releasing |= 1u << segment;
	count(&ch->own.tool->retires, 1);
}

cold void memory_tell_peer(struct shmipc_channel *ch)
{
	uint32_t seq = 0;

	full_barrier();
	if (doorbell_asks(&ch->bell, SEQ_ASLEEP))
		seq = doorbell_take(&ch->bell, SEQ_ASLEEP);
	if (seq)
		doorbell_ring(&ch->bell, seq);
}

/* (A) of doorbell.h: which segments the peer is to let go of, or may forget. It is told when the lock is free. */
static void publish_retired(struct shmipc_channel *ch)
{
	store_release(&ch->own.words->retired, ch->out.retiring);
	ch->out.untold = true;
}

static void collect_unmapped(struct shmipc_channel *ch)
{
	struct producer *out = &ch->out;
	uint32_t unmapped = load_acquire(&ch->peer.words->unmapped), done, segment;

	if (unmapped == load_relaxed(&out->unmapped))
		return;
	store_relaxed(&out->unmapped, unmapped);
	store_relaxed(&out->starved, false);
	out->releasing &= unmapped;
	for (done = out->retiring & unmapped; done; done &= done - 1) {
		segment = (uint32_t)__builtin_ctz(done);
		free_segment(ch, segment);
	}
	publish_retired(ch);
	store_relaxed(&out->grown, out->retiring || out->arena.bytes > out->arena.segment[0].bytes);
}

/* For tools: what is lent now. */
void memory_gauge_locked(struct shmipc_channel *ch)
{
	store_relaxed(&ch->own.tool->slices_lent, ch->out.arena.lent);
	store_relaxed(&ch->own.tool->bytes_lent, ch->out.arena.lent_bytes);
}

int memory_collect_locked(struct shmipc_channel *ch)
{
	struct producer *out = &ch->out;
	uint32_t slice, n;

	for (n = 0; n < ch->geometry.slices && next_return(ch, &slice); n++) {
		if (!arena_is(&out->arena, slice, SLICE_LENT))
			return break_channel(ch);
		arena_free(&out->arena, slice);
		store_relaxed(&ch->own.words->ret_cons, load_relaxed(&ch->own.words->ret_cons) + 1);
	}
	if (n) {
		memory_gauge_locked(ch);
		store_relaxed(&out->starved, false);
	}
	collect_unmapped(ch);
	return 0;
}

/* A number for a new segment, and for the piece that it begins as. */
static bool find_number(const struct shmipc_channel *ch, uint32_t *number)
{
	const struct producer *out = &ch->out;
	uint32_t taken = out->retiring | out->releasing, i;

	for (i = 0; i < SHMIPC_SEGMENTS; i++)
		if (out->arena.segment[i].bytes)
			taken |= 1u << i;
	if (taken == ~0u || out->arena.unused == ARENA_NONE)
		return false;
	*number = (uint32_t)__builtin_ctz(~taken);
	return true;
}

static int add_segment(struct shmipc_channel *ch, uint32_t number, uint64_t bytes)
{
	void *base;
	int r = ch->region.ops->add(&ch->region, number, bytes, &base);

	if (r == -EBADMSG)
		return break_channel(ch);
	if (r)
		return r;
	ch->own.segment[number].base = base;
	ch->own.segment[number].bytes = bytes;
	return arena_add(&ch->out.arena, number, bytes);
}

/* Memory in which @bytes are sure to fit: as much again as there is, as far as it may be. The first segment is exact. */
int memory_grow_locked(struct shmipc_channel *ch, uint64_t bytes)
{
	struct producer *out = &ch->out;
	uint64_t have = out->arena.bytes, most = ch->geometry.memory_max, left = most - have;
	uint64_t need = round_to_page(have ? arena_fit(bytes) : bytes), size = have < left ? have : left;
	uint32_t number;
	int r;

	if (have && need > most - out->arena.segment[0].bytes && arena_fit(bytes) > out->arena.segment[0].bytes)
		return -EMSGSIZE;
	if (need > left || !find_number(ch, &number)) {
		/* What is idle stands in the way; when the peer has let go of it there is room. */
		r = memory_shrink_locked(ch, false);
		return r < 0 ? r : -EAGAIN;
	}
	if (size < need)
		size = need;
	r = add_segment(ch, number, size);
	if (r && r != -EAGAIN && r != -EBADMSG && size > need)
		r = add_segment(ch, number, need);
	if (r)
		return r;
	store_relaxed(&ch->own.tool->memory_bytes, ch->geometry.head_bytes + out->arena.bytes);
	if (have) {
		count(&ch->own.tool->growths, 1);
		store_relaxed(&out->grown, true);
	}
	return 0;
}

int memory_alloc_locked(struct shmipc_channel *ch, uint64_t bytes, uint32_t *slice)
{
	struct producer *out = &ch->out;
	int r;

	r = memory_collect_locked(ch);
	if (r)
		return r;
	*slice = arena_alloc(&out->arena, bytes);
	if (*slice != ARENA_NONE)
		return 0;
	r = memory_grow_locked(ch, bytes);
	if (r == -ENOMEM || r == -EDQUOT || r == -ENOSPC)
		return out->arena.used ? -EAGAIN : r; /* what is out will come back */
	if (r)
		return r;
	*slice = arena_alloc(&out->arena, bytes);
	return *slice == ARENA_NONE ? -EAGAIN : 0;
}

int memory_shrink_locked(struct shmipc_channel *ch, bool idle_only)
{
	struct producer *out = &ch->out;
	uint32_t i;
	int count = 0;

	if (!is_attached(ch))
		return 0;
	for (i = 1; i < SHMIPC_SEGMENTS; i++) {
		struct arena_segment *s = &out->arena.segment[i];
		bool touched = s->touched;

		s->touched = false;
		if (!s->bytes || s->used || s->closed || (idle_only && touched))
			continue;
		arena_close(&out->arena, i);
		out->retiring |= 1u << i;
		count++;
	}
	if (count)
		publish_retired(ch);
	return count;
}

int64_t memory_give_idle(struct shmipc_channel *ch, int64_t deadline)
{
	int64_t after = (int64_t)ch->options.shrink_after_ms * 1000000, now;
	struct producer *out = &ch->out;

	if (!after)
		return deadline;
	now = process_now();
	if (!lock_try(&ch->out.lock))
		return deadline < now + after ? deadline : now + after;
	if (!out->shrink_at)
		out->shrink_at = now + after;
	if (now >= out->shrink_at) {
		out->shrink_at = now + after;
		if (!memory_collect_locked(ch))
			memory_shrink_locked(ch, true);
	}
	if (!load_relaxed(&out->grown))
		out->shrink_at = 0;
	else if (out->shrink_at < deadline)
		deadline = out->shrink_at;
	memory_unlock(ch);
	return deadline;
}

int shmipc_channel_grow(struct shmipc_channel *ch, size_t size)
{
	uint32_t slice;
	int r = check_usable(ch);

	if (r)
		return r;
	if (size > UINT32_MAX)
		return -EMSGSIZE;
	memory_lock(ch);
	r = memory_alloc_locked(ch, size, &slice);
	if (!r)
		arena_free(&ch->out.arena, slice);
	memory_unlock(ch);
	return r;
}

int shmipc_channel_shrink(struct shmipc_channel *ch)
{
	int r = check_usable(ch);

	if (r)
		return r;
	if (load_acquire(&ch->bell.dead))
		return -EPIPE;
	memory_lock(ch);
	r = memory_collect_locked(ch);
	if (!r)
		r = memory_shrink_locked(ch, false);
	memory_unlock(ch);
	return r;
}
