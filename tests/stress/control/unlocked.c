// SPDX-License-Identifier: Apache-2.0
/*
 * unlocked.c - negative control: rung is compared and stored without the lock
 *
 * Of two threads of an endpoint that ring, the one that loaded the older seq may store it last: rung
 * steps back, and the sleeper that the other one rang for sleeps on. Step (D) of doorbell.h.
 */
#include "bell/doorbell.h"

#include "pause.h"

uint32_t __wrap_doorbell_take(struct doorbell *bell, uint32_t bits);

uint32_t __wrap_doorbell_take(struct doorbell *bell, uint32_t bits)
{
	uint32_t seq = load_relaxed(&bell->peer->seq);

	if ((seq & bits) != bits || seq == load_relaxed(&bell->rung))
		return 0;
	pause_once_in(4, 200000);
	store_relaxed(&bell->rung, seq);
	store_release(&bell->own->rung, seq);
	count(&bell->tool->rings, 1);
	pause_once_in(2, 80000);
	return seq;
}
