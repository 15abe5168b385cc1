// SPDX-License-Identifier: Apache-2.0
/*
 * lock.c - the contended half of lock.h
 */
#include "lock.h"

#include "futex.h"
#include "shmipc/channel.h"

cold void lock_take_slowly(struct lock *lock)
{
	while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire))
		futex_sleep(&lock->state, 2, FUTEX_IN_PROCESS, SHMIPC_FOREVER);
}

cold void lock_wake(struct lock *lock)
{
	futex_wake(&lock->state, 1, FUTEX_IN_PROCESS);
}
