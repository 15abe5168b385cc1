/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ready.h - whether there is anything to wake up for
 *
 * Looks at atomic words only, so that a sleeping thread may look for one of the other kind too.
 */
#ifndef SHMIPC_READY_H
#define SHMIPC_READY_H

#include "endpoint.h"

/* peek has a message, or a lap that is neither this round's nor the last one's to report. */
static inline bool is_readable(const struct shmipc_channel *ch)
{
	uint32_t next = load_relaxed(&ch->in.next), old = next + 1 - ch->geometry.slots;
	uint32_t lap = load_acquire(&ch->peer.ring[next & ch->in.mask].lap);

	return lap != old && (lap || next >= ch->geometry.slots);
}

/* Room came back since reserve failed, or it did not fail. */
static inline bool is_writable(const struct shmipc_channel *ch)
{
	return !load_relaxed(&ch->out.starved) || load_acquire(&ch->peer.words->cons) != load_relaxed(&ch->out.cons) ||
	       memory_came_back(ch);
}

static inline int ready_events(const struct shmipc_channel *ch, unsigned int events)
{
	int ready = 0;

	if (events & SHMIPC_READABLE && is_readable(ch))
		ready |= SHMIPC_READABLE;
	if (events & SHMIPC_WRITABLE && is_writable(ch))
		ready |= SHMIPC_WRITABLE;
	return ready;
}

/* The peer retired a segment, or saw that its number is free: the consuming thread has something to do. */
static inline bool has_chores(const struct shmipc_channel *ch)
{
	return load_acquire(&ch->peer.words->retired) != load_relaxed(&ch->own.words->unmapped);
}

/* Whether a wait for these events has any reason to end, or to do something first. */
static inline bool is_over(const struct shmipc_channel *ch, unsigned int events)
{
	return ready_events(ch, events) || load_relaxed(&ch->room.kicked) & events || load_acquire(&ch->bell.dead) ||
	       (events & SHMIPC_READABLE && has_chores(ch));
}

#endif /* SHMIPC_READY_H */
