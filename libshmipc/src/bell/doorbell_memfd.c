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
 *   STORE sleeping = 1            (A)          STORE own seq, or dead        (C)
 *   full barrier                               full barrier
 *   LOAD own seq, dead            (B)          LOAD sleeping; 0: done        (D)
 *   futex wait                                 futex wake, and from (D) again
 *   STORE sleeping = 0
 *
 * (A) before (B) against (C) before (D): either the sleeper sees the change and does not sleep, or
 * the kicker sees the sleeper, and wakes until it is gone. Kicks are rare; two futex words at once
 * (futex_waitv) would cost every sleep half as much again.
 *
 * A byte that finds the socket full is dropped: the descriptor is readable then.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../shm/region.h"
#include "doorbell.h"

/* Between two wakes of a sleeper that has not gone yet, in nanoseconds. */
#define KICK_AGAIN_NS 50000

static void count_call(struct doorbell *bell)
{
	atomic_fetch_add_explicit(&bell->system_calls, 1, memory_order_relaxed);
}

static void wake_futex(const _Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static int ring_memfd(struct doorbell *bell, uint32_t peer_seq)
{
	static const char byte;

	count_call(bell);
	if (peer_seq & SEQ_FD) {
		if (send(bell->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		    (errno == EPIPE || errno == ECONNRESET))
			return -EPIPE;
	} else {
		wake_futex(&bell->own->rung);
	}
	return load_acquire(&bell->dead) ? -EPIPE : 0;
}

/* Sleep while rung is what it was. 0: look again; or -errno. */
static int sleep_on(struct doorbell *bell, uint32_t rung, int64_t deadline)
{
	struct timespec time = { .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
	const struct timespec *until = deadline == SHMIPC_FOREVER ? NULL : &time;

	count_call(bell);
	if (syscall(SYS_futex, &bell->peer->rung, FUTEX_WAIT_BITSET, rung, until, NULL, FUTEX_BITSET_MATCH_ANY) &&
	    errno != EAGAIN)
		return -errno;
	/* A peer that keeps changing rung would keep us beyond any deadline. */
	return until && process_now() >= deadline ? -ETIMEDOUT : 0;
}

static int wait_memfd(struct doorbell *bell, uint32_t seq, uint32_t owed, int64_t deadline)
{
	uint32_t rung;
	int r = 0;

	if (owed)
		ring_memfd(bell, owed); /* a dead peer is seen below, when what it published is read */
	store_relaxed(&bell->sleeping, true); /* (A) */
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
	store_release(&bell->sleeping, false);
	return r;
}

static void kick_memfd(struct doorbell *bell)
{
	const struct timespec pause = { .tv_nsec = KICK_AGAIN_NS };

	full_barrier(); /* behind (C) */
	while (load_acquire(&bell->sleeping)) { /* (D) */
		count_call(bell);
		wake_futex(&bell->peer->rung);
		if (load_acquire(&bell->sleeping))
			nanosleep(&pause, NULL);
	}
}

static bool is_dead_memfd(struct doorbell *bell)
{
	return load_acquire(&bell->dead); /* the watcher's to say */
}

static void clear_memfd(struct doorbell *bell)
{
	region_memfd_drain(bell->region);
}

const struct doorbell_ops doorbell_memfd_ops = {
	.ring = ring_memfd,
	.wait = wait_memfd,
	.kick = kick_memfd,
	.is_dead = is_dead_memfd,
	.clear = clear_memfd,
};
