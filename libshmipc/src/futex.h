/* SPDX-License-Identifier: Apache-2.0 */
/*
 * futex.h - sleeping on a word until somebody wakes it, a signal, or a deadline
 */
#ifndef SHMIPC_FUTEX_H
#define SHMIPC_FUTEX_H

#include "shm/atomics.h"

/* Whether other processes sleep on, or wake, the word too. */
enum futex_scope { FUTEX_IN_PROCESS, FUTEX_SHARED };

/**
 * futex_sleep - sleep while a word has a value
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds, or SHMIPC_FOREVER
 *
 * A signal whose handler was installed with SA_RESTART does not end it, where the kernel has
 * futex_waitv(2) (Linux 5.16) or there is no deadline: FUTEX_WAIT with one never restarts.
 *
 * Returns 0: look again. -ETIMEDOUT, -EINTR.
 */
int futex_sleep(const _Atomic uint32_t *word, uint32_t value, enum futex_scope scope, int64_t deadline);

/**
 * futex_wake - wake at most @count that sleep on a word
 */
void futex_wake(const _Atomic uint32_t *word, int count, enum futex_scope scope);

#endif /* SHMIPC_FUTEX_H */
