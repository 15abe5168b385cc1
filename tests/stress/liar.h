/* SPDX-License-Identifier: Apache-2.0 */
/*
 * liar.h - a peer that shook hands honestly, and its ways to misuse a session: it writes messages and frames of its own
 */
#ifndef STRESS_LIAR_H
#define STRESS_LIAR_H

#include "message.h"
#include "round.h"
#include "session/internal.h"

#define LIAR_IDS 64

struct liar {
	const struct order *order;
	struct shmipc_session *session;
	struct shmipc_channel *channel; /* the session's */
	int socket;			/* likewise */
	uint64_t rng;
	int64_t until;
	uint32_t next_id;
	uint32_t mine[LIAR_IDS];   /* streams that it opened */
	uint32_t theirs[LIAR_IDS]; /* that were named by the victim */
	unsigned int mine_count, theirs_count;
	uint64_t heard; /* charge of what the victim sent */
};

struct lie {
	const char *name;
	void (*run)(struct liar *liar); /* again and again during the round */
	bool deaf;			/* it reads nothing of what the victim sends */
};

/* Each table ends with a NULL name. */
extern const struct lie lies_in_messages[];
extern const struct lie lies_in_frames[];

static inline uint32_t draw(struct liar *liar, uint32_t limit)
{
	return (uint32_t)rng_below(&liar->rng, limit);
}

/* Send a message as it is; false: there is no room, or nobody. */
bool liar_say(struct liar *liar, uint32_t tag, uint16_t kind, const void *data, size_t size);

/* Open a stream with a few bytes. Returns its number. */
uint32_t liar_open(struct liar *liar);

/* A number of a stream that may be known, or not. */
uint32_t liar_id(struct liar *liar);

/* A value at an edge of something. */
uint64_t liar_value(struct liar *liar);

#endif /* STRESS_LIAR_H */
