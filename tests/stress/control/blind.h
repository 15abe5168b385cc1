/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blind.h - negative control, included in front of the library's wait.c, a second time compiled: the
 * sleeper does not look again after its announcement
 *
 * Step (H) of doorbell.h is left out: while the own seq is odd nothing is found but death. What was
 * published between the last look and the announcement was published to one that was awake: nobody rings.
 */
#ifndef CONTROL_BLIND_H
#define CONTROL_BLIND_H

#include "channel/ready.h"
#include "pause.h"

static inline bool is_announced(const struct shmipc_channel *ch)
{
	return load_relaxed(&ch->own.words->seq) & SEQ_ASLEEP;
}

static inline int blind_events(const struct shmipc_channel *ch, unsigned int events)
{
	return is_announced(ch) ? 0 : ready_events(ch, events);
}

static inline bool blind_is_over(const struct shmipc_channel *ch, unsigned int events)
{
	return is_announced(ch) ? load_acquire(&ch->bell.dead) : is_over(ch, events);
}

static inline uint32_t slow_announce(struct doorbell *bell, uint32_t bits)
{
	pause_sometimes();
	return doorbell_announce(bell, bits);
}

#define ready_events blind_events
#define is_over blind_is_over
#define doorbell_announce slow_announce

#endif /* CONTROL_BLIND_H */
