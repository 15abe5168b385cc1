// SPDX-License-Identifier: Apache-2.0
/*
 * doorbell_memfd.c - the doorbell without a module: a futex for a blocked sleeper, a byte on a
 * socket for one that sleeps on its descriptor
 *
 * The futex is the waker's `rung`, in memory that only the waker can write; the sleeper waits on
 * its read-only mapping, and is woken by a thread of its own process, too, through that: another
 * waiter's kick, or the watcher when the peer dies. Such a kick changes no word that the kernel
 * compares, so one that comes between the sleeper's last look and its sleep would be lost:
 *
 * sleeper                                    kicker
 *   STORE sleeping = own seq      (A)          STORE own seq, or dead        (C)
 *   full barrier                               full barrier
 *   LOAD own seq, dead            (B)          LOAD sleeping; not it: done   (D)
 *   futex wait                                 futex wake, and from (D) again
 *   STORE sleeping = 0
 *
 * (A) before (B) against (C) before (D): either the sleeper sees the change and does not sleep, or
 * the kicker sees the sleeper, and wakes until it, and not the next one, is gone. Kicks are rare; two futex words at once
 * (futex_waitv) would cost every sleep half as much again.
 *
 * A byte that finds the socket full is dropped: the descriptor is readable then.
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>

#include "../futex.h"
#include "../shm/region.h"
#include "doorbell.h"

/* Between two wakes of a sleeper that has not gone yet, in nanoseconds. */
#define KICK_AGAIN_NS 50000

static void count_call(struct doorbell *bell)
{
	atomic_fetch_add_explicit(&bell->system_calls, 1, memory_order_relaxed);
}

static int ring_memfd(struct doorbell *bell, uint32_t peer_seq)
{
	static const char byte;

	count_call(bell);
	if (peer_seq & SEQ_FD) {
		while (send(bell->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN) {
			if (errno == EPIPE || errno == ECONNRESET)
				return -EPIPE;
			sched_yield(); /* no memory for a byte: it must get there */
		}
	} else {
		futex_wake(&bell->own->rung, INT_MAX, FUTEX_SHARED);
	}
	return load_acquire(&bell->dead) ? -EPIPE : 0;
}

/* Sleep while rung is what it was. 0: look again; or -errno. */
static int sleep_on(struct doorbell *bell, uint32_t rung, int64_t deadline)
{
	int r;

	count_call(bell);
	r = futex_sleep(&bell->peer->rung, rung, FUTEX_SHARED, deadline);
	/* A peer that keeps changing rung would keep us beyond any deadline. */
	if (!r && deadline != SHMIPC_FOREVER && process_now() >= deadline)
		r = -ETIMEDOUT;
	return r;
}

static int wait_memfd(struct doorbell *bell, uint32_t seq, uint32_t owed, int64_t deadline)
{
	uint32_t rung;
	int r = 0;

	if (owed)
		ring_memfd(bell, owed);	     /* a dead peer is seen below, when what it published is read */
	store_relaxed(&bell->sleeping, seq); /* (A) */
	full_barrier();
	for (;;) {
		rung = load_acquire(&bell->peer->rung);
		if (rung == seq || load_acquire(&bell->own->seq) != seq) /* (B) */
			r = 0;
		else if (load_acquire(&bell->dead)) /* (B) */
			r = -EPIPE;
		else if (!r) {
			r = sleep_on(bell, rung, deadline);
			continue;
		}
		break;
	}
	store_release(&bell->sleeping, 0);
	return r;
}

/* Whether the sleeper meant sleeps still; seq 0 means any. */
static bool is_asleep(struct doorbell *bell, uint32_t seq)
{
	uint32_t sleeping = load_acquire(&bell->sleeping);

	return seq ? sleeping == seq : sleeping;
}

static void kick_memfd(struct doorbell *bell, uint32_t seq)
{
	const struct timespec pause = { .tv_nsec = KICK_AGAIN_NS };

	full_barrier();		       /* behind (C) */
	while (is_asleep(bell, seq)) { /* (D) */
		count_call(bell);
		futex_wake(&bell->peer->rung, INT_MAX, FUTEX_SHARED);
		if (is_asleep(bell, seq))
			nanosleep(&pause, NULL);
	}
}

static bool is_dead_memfd(struct doorbell *bell)
{
	return load_acquire(&bell->dead); /* the watcher's to say */
}

static void clear_memfd(struct doorbell *bell)
{
	if (region_memfd_drain(bell->region))
		store_release(&bell->dead, true);
}

const struct doorbell_ops doorbell_memfd_ops = {
	.ring = ring_memfd,
	.wait = wait_memfd,
	.kick = kick_memfd,
	.is_dead = is_dead_memfd,
	.clear = clear_memfd,
};
