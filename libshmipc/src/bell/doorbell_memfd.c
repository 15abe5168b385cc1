// SPDX-License-Identifier: Apache-2.0
/*
 * doorbell_memfd.c - the doorbell without a module: a futex for a blocked sleeper, a byte on a
 * socket for one that sleeps on its descriptor
 *
 * The futex is the waker's `rung`, in memory that only the waker can write; the sleeper waits on
 * its read-only mapping. A second, private futex lets threads of the sleeper's own process wake
 * it: another waiter's kick, and the watcher when the peer dies. The two are waited on together
 * (futex_waitv, Linux 5.16). On older kernels a blocked sleeper sleeps on its descriptor as well.
 *
 * A byte that finds the socket full is dropped: the descriptor is readable then.
 */
#include <errno.h>
#include <linux/futex.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../shm/region.h"
#include "doorbell.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* struct futex_waitv of Linux 5.16, for older headers. */
struct futex_wait_entry {
	uint64_t value;
	uint64_t address;
	uint32_t flags;
	uint32_t reserved;
};
#define FUTEX_ENTRY_U32 2u

static void count_call(struct doorbell *bell)
{
	atomic_fetch_add_explicit(&bell->system_calls, 1, memory_order_relaxed);
}

static void wake_futex(const _Atomic uint32_t *word, int flags)
{
	syscall(SYS_futex, word, FUTEX_WAKE | flags, INT_MAX, NULL, NULL, 0);
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
		wake_futex(&bell->own->rung, 0);
	}
	return load_acquire(&bell->dead) ? -EPIPE : 0;
}

static struct timespec to_timespec(int64_t ns)
{
	if (ns < 0)
		ns = 0;
	return (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
}

/* Whether a sleep is over, and with what: rung or withdrawn, dead, neither. */
static bool is_over(struct doorbell *bell, uint32_t seq, int *result)
{
	if (load_acquire(&bell->peer->rung) == seq || load_acquire(&bell->own->seq) != seq)
		*result = 0;
	else if (load_acquire(&bell->dead))
		*result = -EPIPE;
	else
		return false;
	return true;
}

static int wait_memfd(struct doorbell *bell, uint32_t seq, uint32_t owed, int64_t deadline)
{
	struct timespec until = to_timespec(deadline);
	int r = 0, over;

	if (owed)
		ring_memfd(bell, owed); /* a dead peer is seen below, when what it published is read */
	for (;;) {
		struct futex_wait_entry words[2] = {
			{ .value = load_acquire(&bell->peer->rung), .address = (uintptr_t)&bell->peer->rung,
			  .flags = FUTEX_ENTRY_U32 },
			{ .value = load_acquire(&bell->kicks), .address = (uintptr_t)&bell->kicks,
			  .flags = FUTEX_ENTRY_U32 | FUTEX_PRIVATE_FLAG },
		};

		/* The kernel compares both words under its queue locks: what changes from here on is seen. */
		if (words[0].value == seq || is_over(bell, seq, &over))
			return words[0].value == seq ? 0 : over;
		if (r < 0)
			return r;
		count_call(bell);
		r = (int)syscall(SYS_futex_waitv, words, 2, 0, deadline == SHMIPC_FOREVER ? NULL : &until,
				 CLOCK_MONOTONIC);
		r = r < 0 && errno != EAGAIN ? -errno : 0;
	}
}

static void kick_memfd(struct doorbell *bell)
{
	atomic_fetch_add(&bell->kicks, 1);
	count_call(bell);
	wake_futex(&bell->kicks, FUTEX_PRIVATE_FLAG);
}

static bool is_dead_memfd(struct doorbell *bell)
{
	return load_acquire(&bell->dead); /* the watcher's to say */
}

static void clear_memfd(struct doorbell *bell)
{
	region_memfd_drain(bell->region);
}

static int wait_memfd_poll(struct doorbell *bell, uint32_t seq, uint32_t owed, int64_t deadline)
{
	struct pollfd fds[2] = { { .fd = bell->fd, .events = POLLIN }, { .fd = bell->kick_fd, .events = POLLIN } };
	int r = 0, over;
	uint64_t count;

	if (owed)
		ring_memfd(bell, owed);
	for (;;) {
		int64_t left = deadline == SHMIPC_FOREVER ? 0 : deadline - process_now();
		struct timespec timeout = to_timespec(left);

		clear_memfd(bell); /* before the look: a byte that comes after it stays */
		if (is_over(bell, seq, &over))
			return over;
		if (r < 0)
			return r;
		count_call(bell);
		r = ppoll(fds, 2, deadline == SHMIPC_FOREVER ? NULL : &timeout, NULL);
		r = r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
		if (fds[1].revents & POLLIN)
			while (read(bell->kick_fd, &count, sizeof(count)) < 0 && errno == EINTR)
				;
	}
}

static void kick_memfd_poll(struct doorbell *bell)
{
	uint64_t one = 1;

	count_call(bell);
	while (write(bell->kick_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

const struct doorbell_ops doorbell_memfd_ops = {
	.ring = ring_memfd,
	.wait = wait_memfd,
	.kick = kick_memfd,
	.is_dead = is_dead_memfd,
	.clear = clear_memfd,
};

const struct doorbell_ops doorbell_memfd_poll_ops = {
	.ring = ring_memfd,
	.wait = wait_memfd_poll,
	.kick = kick_memfd_poll,
	.is_dead = is_dead_memfd,
	.clear = clear_memfd,
};

int doorbell_memfd_choose(struct doorbell *bell)
{
	/* No words at all is EINVAL where the call exists. */
	if (!getenv("SHMIPC_NO_FUTEX_WAITV") && syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) < 0 && errno != ENOSYS) {
		bell->ops = &doorbell_memfd_ops;
		return 0;
	}
	bell->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bell->kick_fd < 0)
		return -errno;
	bell->wait_bits = SEQ_FD;
	bell->ops = &doorbell_memfd_poll_ops;
	return 0;
}
