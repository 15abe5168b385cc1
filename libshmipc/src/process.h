/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - what belongs to the process and not to a channel: fork detection, membarrier
 * registration, the clock
 */
#ifndef SHMIPC_PROCESS_H
#define SHMIPC_PROCESS_H

#include "shm/atomics.h"

/**
 * process_guard - a word that is 1 in this process and 0 in its forked children
 * @guard: where the word's address goes
 *
 * Takes part in creating every channel. The first call of a process also registers it with
 * membarrier(2), while it is still likely to have one thread, which makes that cheap.
 *
 * Returns 0 or -ENOMEM.
 */
int process_guard(const _Atomic uint32_t **guard);

/**
 * process_may_skip - whether peers may pay for this process's barriers with membarrier(2)
 */
bool process_may_skip(void);

/**
 * process_membarrier - a full barrier on every processor that runs a registered process
 *
 * Never fails where process_may_skip() is true; elsewhere it is a full barrier of this thread only.
 */
void process_membarrier(void);

/**
 * process_membarrier_threads - likewise, on the processors that run this process's threads
 *
 * It interrupts no other one, and none at all while the threads share a processor.
 */
void process_membarrier_threads(void);

/**
 * process_random - a number that no other channel of the host is likely to have; never 0
 */
uint64_t process_random(void);

/**
 * process_now - CLOCK_MONOTONIC in nanoseconds
 */
int64_t process_now(void);

/**
 * process_now_coarse_ms - the same in milliseconds, cheap and a few milliseconds late
 */
uint32_t process_now_coarse_ms(void);

/**
 * process_to_kernel_time - a deadline as the kernel's own time namespace counts it
 */
int64_t process_to_kernel_time(int64_t deadline);

#endif /* SHMIPC_PROCESS_H */
