/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spin.h - what a waiting thread has learned about spinning, and what it learns from each spin
 *
 * Nothing here reads a clock, a channel or the kernel, but where it says so. Times are of CLOCK_MONOTONIC, in
 * nanoseconds; spin_ns is the channel's option, at least 1.
 */
#ifndef SHMIPC_SPIN_H
#define SHMIPC_SPIN_H

#include <pthread.h>

#include "../process.h"
#include "../shm/atomics.h"

/* All 0 to begin with. One waiting thread's at a time. */
struct spinner {
	int64_t credit;	     /* what spinning has gained, less what it has cost */
	int64_t hold_until;  /* overdrawn: no spin before; 0: it is not */
	uint32_t leave_out;  /* nor before so many waits */
	uint32_t leave_next; /* how many were left out last */
	bool shared;	     /* somebody else wants the processor */
	int64_t shared_end;  /* until then, if nothing more is heard of him */
	int64_t shared_ns;   /* how long that was */
	int64_t ask_at;	     /* before that no sleep asks whether this thread was preempted */
	pthread_t asked_by;  /* who asked last, and what the answer was */
	long preemptions;
	_Atomic uint64_t won, lost;
};

/**
 * spin_leaves_out - one wait of a spinner that is overdrawn; whether this one is left out too
 */
bool spin_leaves_out(struct spinner *spinner, int64_t now);

/**
 * spin_is_due - whether to spin in this wait, which counts; reads the clock if need be
 */
static inline bool spin_is_due(struct spinner *spinner)
{
	if (likely(!spinner->hold_until))
		return true;
	return !spin_leaves_out(spinner, spinner->leave_out ? 0 : process_now());
}

/**
 * spin_note_won - a spin found what it waited for
 * @took: how long it spun
 */
void spin_note_won(struct spinner *spinner, int64_t spin_ns, int64_t took, int64_t now);

/**
 * spin_note_lost - a spin found nothing
 */
void spin_note_lost(struct spinner *spinner, int64_t spin_ns, int64_t took, int64_t now);

/**
 * spin_note_preempted - the kernel took the processor away, for somebody else
 */
void spin_note_preempted(struct spinner *spinner, int64_t now);

/**
 * spin_note_time - in a spin, at each look at the clock
 * @last: the look before
 *
 * When this thread seems not to have run in between, asks the kernel whether it was preempted.
 */
void spin_note_time(struct spinner *spinner, int64_t last, int64_t now);

/**
 * spin_note_sleep - after a lost spin, before the sleep: a system call more does not matter
 *
 * Asks the kernel too, at most once a millisecond.
 */
void spin_note_sleep(struct spinner *spinner, int64_t now);

#endif /* SHMIPC_SPIN_H */
