// SPDX-License-Identifier: Apache-2.0
/*
 * blind.c - negative control: the sleeper does not look again after its announcement
 *
 * Step (H) of doorbell.h is left out: while the own seq is odd nothing is found. What was published
 * between the last look and the announcement was published to one that was awake: nobody rings.
 */
#include "channel/endpoint.h"

#include "pause.h"

bool __real_consume_ready(const struct shmipc_channel *ch);
bool __real_produce_ready(const struct shmipc_channel *ch);
uint32_t __real_doorbell_announce(struct doorbell *bell, uint32_t bits);
bool __wrap_consume_ready(const struct shmipc_channel *ch);
bool __wrap_produce_ready(const struct shmipc_channel *ch);
uint32_t __wrap_doorbell_announce(struct doorbell *bell, uint32_t bits);

static bool is_announced(const struct shmipc_channel *ch)
{
	return load_relaxed(&ch->own.words->seq) & SEQ_ASLEEP;
}

bool __wrap_consume_ready(const struct shmipc_channel *ch)
{
	return !is_announced(ch) && __real_consume_ready(ch);
}

bool __wrap_produce_ready(const struct shmipc_channel *ch)
{
	return !is_announced(ch) && __real_produce_ready(ch);
}

uint32_t __wrap_doorbell_announce(struct doorbell *bell, uint32_t bits)
{
	pause_sometimes();
	return __real_doorbell_announce(bell, bits);
}
