// SPDX-License-Identifier: Apache-2.0
/*
 * doorbell.c - the slow half of the seq/rung protocol; doorbell.h has its table
 */
#include "doorbell.h"

void doorbell_init(struct doorbell *bell, const struct lane *own, const struct lane *peer)
{
	bell->own = own->words;
	bell->tool = own->tool;
	bell->peer = peer->words;
}

uint32_t doorbell_take(struct doorbell *bell, uint32_t bits)
{
	uint32_t seq;

	lock_take(&bell->lock);
	seq = load_relaxed(&bell->peer->seq); /* (C) again, in the critical section */
	if ((seq & bits) != bits || seq == load_relaxed(&bell->rung)) {
		seq = 0;
	} else {
		store_relaxed(&bell->rung, seq);
		store_release(&bell->own->rung, seq); /* (D) */
		count(&bell->tool->rings, 1);
	}
	lock_release(&bell->lock);
	return seq;
}

int doorbell_ring(struct doorbell *bell, uint32_t peer_seq)
{
	int r = bell->ops->ring(bell, peer_seq);

	if (r == -EPIPE)
		store_release(&bell->dead, true);
	return r;
}

cold void doorbell_pay_barrier(struct doorbell *bell)
{
	process_membarrier();
	atomic_fetch_add_explicit(&bell->barriers_paid, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&bell->system_calls, 1, memory_order_relaxed);
}

void doorbell_kick(struct doorbell *bell, uint32_t seq)
{
	uint32_t announced = seq;

	if (atomic_compare_exchange_strong(&bell->own->seq, &announced, seq & ~SEQ_BITS))
		bell->ops->kick(bell, seq);
}

void doorbell_die(struct doorbell *bell)
{
	store_release(&bell->dead, true);
	full_barrier();
	bell->ops->kick(bell, 0);
}
