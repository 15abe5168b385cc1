// SPDX-License-Identifier: Apache-2.0
/*
 * doorbell_kmod.c - the doorbell as the kernel module has it: one call to ring, one to sleep, and
 * one that does both
 */
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "doorbell.h"

static int call(struct doorbell *bell, unsigned long command, unsigned long argument)
{
	atomic_fetch_add_explicit(&bell->system_calls, 1, memory_order_relaxed);
	return ioctl(bell->fd, command, argument) < 0 ? -errno : 0;
}

static int ring_kmod(struct doorbell *bell, uint32_t peer_seq)
{
	(void)peer_seq;
	return call(bell, SHMIPC_IOC_RING, 0);
}

static int wait_kmod(struct doorbell *bell, uint32_t seq, uint32_t owed, int64_t deadline)
{
	struct shmipc_ioc_wait wait;

	if (deadline == SHMIPC_FOREVER)
		return call(bell, owed ? SHMIPC_IOC_RING_WAIT : SHMIPC_IOC_WAIT, seq);
	deadline = process_to_kernel_time(deadline);
	wait = (struct shmipc_ioc_wait){
		.deadline_ns = deadline > 0 ? (uint64_t)deadline : 0,
		.seq = seq,
		.flags = owed ? SHMIPC_WAIT_RING : 0,
	};
	return call(bell, SHMIPC_IOC_WAIT_UNTIL, (unsigned long)&wait);
}

static void kick_kmod(struct doorbell *bell, uint32_t seq)
{
	(void)seq; /* the module compares the own seq itself */
	call(bell, SHMIPC_IOC_KICK, 0);
}

static bool is_dead_kmod(struct doorbell *bell)
{
	struct pollfd poll_fd = { .fd = bell->fd };

	atomic_fetch_add_explicit(&bell->system_calls, 1, memory_order_relaxed);
	if (poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLHUP))
		store_release(&bell->dead, true);
	return load_acquire(&bell->dead);
}

const struct doorbell_ops doorbell_kmod_ops = {
	.ring = ring_kmod,
	.wait = wait_kmod,
	.kick = kick_kmod,
	.is_dead = is_dead_kmod,
	.clear = NULL, /* the module's poll looks at the words themselves */
};
