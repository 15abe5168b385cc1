/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attacker.h - a peer that came by its endpoint honestly, and its ways to misuse it
 */
#ifndef STRESS_ATTACKER_H
#define STRESS_ATTACKER_H

#include "channel/endpoint.h"
#include "message.h"
#include "round.h"

struct attacker {
	const struct order *order;
	struct shmipc_channel *channel;
	int socket; /* of the handover */
	uint64_t rng;
	int64_t until;
};

struct attack {
	const char *name;
	void (*run)(struct attacker *attacker);	   /* again and again during the round */
	bool relentless;			   /* and on, for as long as the victim is there */
	void (*before)(struct attacker *attacker); /* before the handover, where the attacker is the creator */
	void (*instead)(struct attacker *attacker); /* of an honest handover */
};

/* Each table ends with a NULL name. */
extern const struct attack attacks_on_words[];
extern const struct attack attacks_on_sockets[];
extern const struct attack attacks_on_segments[];
extern const struct attack attacks_on_handover[];
extern const struct attack attacks_on_module[];

static inline uint32_t pick(struct attacker *a, uint32_t limit)
{
	return (uint32_t)rng_below(&a->rng, limit);
}

/* A value that is likely to be at an edge of something. */
uint32_t nasty_number(struct attacker *attacker, uint32_t now);

/* Whether the round is over. */
bool attack_is_over(const struct attacker *attacker);

#endif /* STRESS_ATTACKER_H */
