/* SPDX-License-Identifier: Apache-2.0 */
/*
 * round.h - one round of the hostile-peer test: what the victim orders, and what each side then does
 *
 * A nursery, one process without threads, forks a new attacker for every round.
 */
#ifndef STRESS_ROUND_H
#define STRESS_ROUND_H

#include <stdint.h>

#include "shmipc/channel.h"

/* Sent to the nursery, together with one end of a socketpair. */
struct order {
	uint64_t seed; /* of this round */
	uint32_t attack;
	uint32_t creator; /* 1: the attacker makes the channel */
	uint32_t backend;
	uint32_t ms; /* how long */
};

/**
 * round_seed - everything of a round follows from it
 */
uint64_t round_seed(uint64_t seed, uint64_t round);

/**
 * round_options - of both sides' channels
 */
void round_options(const struct order *order, struct shmipc_channel_options *options);

/**
 * nursery_run - fork attackers as ordered, until the socket is closed; never returns
 */
void nursery_run(int socket);

/**
 * attacker_run - play the attacker of one round
 */
void attacker_run(const struct order *order, int socket);

/**
 * attack_name - or NULL beyond the last one
 */
const char *attack_name(uint32_t attack);

/**
 * victim_round - open a channel to the attacker, work on it whatever comes, and give it up
 *
 * Ends the process, with a sentence, when anything happens that may not.
 */
void victim_round(const struct order *order, int socket, double patience);

#endif /* STRESS_ROUND_H */
