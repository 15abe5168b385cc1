/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.h - a private mutex of one word, for critical sections of a few instructions
 *
 * One compare-and-swap to take, one exchange to let go; who finds it taken sleeps on it, so that a
 * holder that was preempted gets to run, whatever the threads' priorities. The scheme is the second
 * one of Drepper's "Futexes Are Tricky" (2011).
 */
#ifndef SHMIPC_LOCK_H
#define SHMIPC_LOCK_H

#include "shm/atomics.h"

struct lock {
	_Atomic uint32_t state; /* 0 free, 1 taken, 2 taken and somebody sleeps */
};

void lock_take_slowly(struct lock *lock);
void lock_wake(struct lock *lock);

static inline bool lock_try(struct lock *lock)
{
	uint32_t free = 0;

	return atomic_compare_exchange_strong_explicit(&lock->state, &free, 1, memory_order_acquire,
						       memory_order_relaxed);
}

static inline void lock_take(struct lock *lock)
{
	if (unlikely(!lock_try(lock)))
		lock_take_slowly(lock);
}

static inline void lock_release(struct lock *lock)
{
	if (unlikely(atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2))
		lock_wake(lock);
}

#endif /* SHMIPC_LOCK_H */
