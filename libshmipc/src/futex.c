// SPDX-License-Identifier: Apache-2.0
/*
 * futex.c - the futex system calls that the library makes
 */
#include "futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shmipc/channel.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* struct futex_waitv of Linux 5.16, for older headers. */
struct futex_entry {
	uint64_t value;
	uint64_t address;
	uint32_t flags;
	uint32_t reserved;
};
#define FUTEX_ENTRY_U32 2u

static long sleep_until(const _Atomic uint32_t *word, uint32_t value, int private, int64_t deadline)
{
	struct timespec time = { .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
	struct futex_entry entry = {
		.value = value,
		.address = (uintptr_t)word,
		.flags = FUTEX_ENTRY_U32 | (uint32_t) private,
	};
	long r = syscall(SYS_futex_waitv, &entry, 1, 0, &time, CLOCK_MONOTONIC);

	if (r >= 0 || errno != ENOSYS)
		return r;
	return syscall(SYS_futex, word, FUTEX_WAIT_BITSET | private, value, &time, NULL, FUTEX_BITSET_MATCH_ANY);
}

int futex_sleep(const _Atomic uint32_t *word, uint32_t value, enum futex_scope scope, int64_t deadline)
{
	int private = scope == FUTEX_IN_PROCESS ? FUTEX_PRIVATE_FLAG : 0;
	long r;

	if (deadline == SHMIPC_FOREVER)
		r = syscall(SYS_futex, word, FUTEX_WAIT | private, value, NULL, NULL, 0);
	else
		r = sleep_until(word, value, private, deadline);
	return r >= 0 || errno == EAGAIN ? 0 : -errno;
}

void futex_wake(const _Atomic uint32_t *word, int count, enum futex_scope scope)
{
	syscall(SYS_futex, word, FUTEX_WAKE | (scope == FUTEX_IN_PROCESS ? FUTEX_PRIVATE_FLAG : 0), count, NULL, NULL,
		0);
}
