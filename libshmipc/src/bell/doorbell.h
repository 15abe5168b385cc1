/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell.h - waking the other endpoint, and sleeping until it does: the seq/rung protocol
 *
 * waker (publisher)                          sleeper
 *   STORE.rel the publication     (A)          STORE own seq, a new odd value      (E)
 *   full barrier, unless skip     (B)          full barrier                        (F)
 *   LOAD peer's seq               (C)          LOAD peer's skip; set: membarrier   (G)
 *   odd, and not rung already:                 LOAD the publication again          (H)
 *   under the lock: LOAD seq again, compare,   nothing: sleep until peer's rung
 *     STORE own rung              (D)            equals the own seq, or dead       (I)
 *   unlocked: the system call that wakes       STORE own seq, even                 (J)
 *
 * (B) pairs with (F): either the waker's (C) sees the announcement (E), or the sleeper's (H) sees the
 * publication (A). Without one of them both may look before either sees, and the wake is lost.
 * (G): a waker that has said `skip` leaves (B) out; the sleeper's membarrier(2) then puts a full
 * barrier between (A) and (C), or after both, wherever the waker is. It must stand between (E) and
 * (H). `skip` is stored before a full barrier, so that a sleeper that does not see it announced
 * early enough for every later (C) to see it; it is taken back after a full barrier, so that a
 * sleeper that does not see it any more sees every publication that had no barrier of its own.
 * (D) is in one critical section with its load and compare: the peer's seq never has two threads
 * that both ring for it, and rung never steps back. (C) alone decides nothing but that there is
 * nothing to do. (D) pairs with (I), in the kernel: the wake-up is a full barrier before it asks
 * whether anybody sleeps, and a sleeper queues itself before it compares.
 *
 * A waker that gives room back rings only when the sleeper's seq asks for it (SEQ_SPACE).
 *
 * Threads: any may ring and kick. One at a time is between announce and withdraw; which one is the
 * caller's affair.
 */
#ifndef SHMIPC_DOORBELL_H
#define SHMIPC_DOORBELL_H

#include <errno.h>
#include <stdint.h>

#include "../lock.h"
#include "../process.h"
#include "../shm/layout.h"

struct doorbell;
struct region;

/* What a backend does. 0 or -errno; each call counts its system calls. */
struct doorbell_ops {
	/* Wake the peer, which announced peer_seq; own rung is stored. -EPIPE: it is dead. */
	int (*ring)(struct doorbell *bell, uint32_t peer_seq);
	/*
	 * Sleep until peer's rung == seq, or own seq != seq, both 0; -EPIPE, -EINTR, -ETIMEDOUT in
	 * that order. Where `owed` is not 0, ring for it first.
	 */
	int (*wait)(struct doorbell *bell, uint32_t seq, uint32_t owed, int64_t deadline);
	/* Wake the own sleeper that announced seq, which was changed since; 0: any, the peer is dead. */
	void (*kick)(struct doorbell *bell, uint32_t seq);
	/* Ask the system whether the peer is dead, for those who never sleep. */
	bool (*is_dead)(struct doorbell *bell);
	/* The descriptor was reported readable: make it unreadable until the next ring. NULL: need not. */
	void (*clear)(struct doorbell *bell);
};

struct doorbell {
	const struct doorbell_ops *ops;
	struct lane_words *own;
	const struct lane_words *peer;
	int fd;			   /* what an event loop polls */
	struct region *region;	   /* whose socket fd is, on memfd */
	struct lane_tool *tool;	   /* rings, counted under the lock; sleeps, by the sleeper */
	_Atomic uint32_t sleeping; /* memfd: the seq of the thread in wait, or 0 */

	struct lock lock;      /* compare and store of rung */
	_Atomic uint32_t rung; /* copy of own->rung; written under the lock */
	_Atomic uint32_t owed; /* duty taken, system call not made yet: the peer's seq, or 0 */
	_Atomic bool dead;     /* the peer; never taken back */

	_Atomic uint64_t waits, barriers_paid, system_calls;
};

/**
 * doorbell_init - on mapped lanes; ops and fd are the backend's to set
 */
void doorbell_init(struct doorbell *bell, const struct lane *own, const struct lane *peer);

/* (C): whether the peer sleeps with all of these bits, and nobody has taken the duty to wake it. */
static inline bool doorbell_asks(const struct doorbell *bell, uint32_t bits)
{
	uint32_t seq = load_relaxed(&bell->peer->seq);

	return unlikely((seq & bits) == bits) && seq != load_relaxed(&bell->rung);
}

/**
 * doorbell_take - (D): take the duty to wake the peer, if it is still there to take
 * @bits: SEQ_ASLEEP, or with SEQ_SPACE
 *
 * The caller has published and issued its barrier. Returns the peer's seq, to be rung for, or 0.
 */
uint32_t doorbell_take(struct doorbell *bell, uint32_t bits);

/**
 * doorbell_ring - make the system call for a duty taken
 *
 * Returns 0 or -EPIPE.
 */
int doorbell_ring(struct doorbell *bell, uint32_t peer_seq);

/* (G): the peer publishes without a barrier. */
void doorbell_pay_barrier(struct doorbell *bell);

/**
 * doorbell_say - (E) alone; (F) to (H) are the caller's
 */
static inline uint32_t doorbell_say(struct doorbell *bell, uint32_t bits)
{
	uint32_t seq = load_relaxed(&bell->own->seq);

	seq = (seq & ~SEQ_BITS) + SEQ_STEP + (SEQ_ASLEEP | bits);
	store_relaxed(&bell->own->seq, seq); /* (E) */
	count(&bell->tool->sleeps, 1);
	return seq;
}

/**
 * doorbell_announce - (E) to (G)
 * @bits: SEQ_SPACE, SEQ_FD or 0
 *
 * The caller looks again, then waits, arms, or withdraws. Returns the new odd seq.
 */
static inline uint32_t doorbell_announce(struct doorbell *bell, uint32_t bits)
{
	uint32_t seq = doorbell_say(bell, bits); /* (E) */

	full_barrier(); /* (F) */
	if (unlikely(load_acquire(&bell->peer->skip)))
		doorbell_pay_barrier(bell); /* (G) */
	return seq;
}

/**
 * doorbell_withdraw - (J), by the thread that announced
 */
static inline void doorbell_withdraw(struct doorbell *bell)
{
	/* A kick may have stored the same value before. Nothing is published by it: relaxed. */
	store_relaxed(&bell->own->seq, load_relaxed(&bell->own->seq) & ~SEQ_BITS); /* (J) */
}

/**
 * doorbell_wait - (I)
 * @owed: a duty taken whose system call was left to this one, or 0
 */
static inline int doorbell_wait(struct doorbell *bell, uint32_t seq, uint32_t owed, int64_t deadline)
{
	int r;

	count(&bell->waits, 1);
	r = bell->ops->wait(bell, seq, owed, deadline);
	if (unlikely(r == -EPIPE))
		store_release(&bell->dead, true);
	return r;
}

/**
 * doorbell_kick - end the own sleep of another thread, if it is one with seq
 * @seq: what the sleeper announced
 */
void doorbell_kick(struct doorbell *bell, uint32_t seq);

/**
 * doorbell_die - the peer is dead: mark, then wake
 */
void doorbell_die(struct doorbell *bell);

/* The backends. */
extern const struct doorbell_ops doorbell_kmod_ops;
extern const struct doorbell_ops doorbell_memfd_ops;

#endif /* SHMIPC_DOORBELL_H */
