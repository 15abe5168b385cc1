// SPDX-License-Identifier: Apache-2.0
/*
 * process.c - fork detection, membarrier registration and the clock
 *
 * The guard is a word in a page that the kernel empties in a forked child (MADV_WIPEONFORK). A
 * channel keeps the address of the page that its process had; a child that makes channels of its
 * own gets a page of its own. The pages are never freed: there is one for each generation.
 *
 * Locking: `lock` protects the choice of a new page. All else is atomic.
 */
#include "process.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shmipc/channel.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint32_t *_Atomic current_guard;
static _Atomic bool may_skip;
static int64_t timens_offset_ns;

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

static bool register_membarrier(void)
{
	long commands = membarrier(MEMBARRIER_CMD_QUERY);

	const long needed = MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |
			    MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;

	return commands > 0 && (commands & needed) == needed &&
	       membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0 &&
	       membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

/* How far this process's time namespace is ahead of the kernel's own. */
static int64_t read_timens_offset(void)
{
	FILE *file = fopen("/proc/self/timens_offsets", "re");
	char clock[16];
	long long seconds, nanoseconds, offset = 0;

	if (!file)
		return 0;
	while (fscanf(file, "%15s %lld %lld", clock, &seconds, &nanoseconds) == 3)
		if (clock[0] == 'm')
			offset = seconds * 1000000000 + nanoseconds;
	fclose(file);
	return offset;
}

static _Atomic uint32_t *make_guard(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	_Atomic uint32_t *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	if (madvise((void *)page, size, MADV_WIPEONFORK)) {
		munmap((void *)page, size);
		return NULL;
	}
	store_relaxed(page, 1);
	return page;
}

int process_guard(const _Atomic uint32_t **guard)
{
	_Atomic uint32_t *page = atomic_load(&current_guard);

	if (page && load_relaxed(page)) {
		*guard = page;
		return 0;
	}
	pthread_mutex_lock(&lock);
	page = atomic_load(&current_guard);
	if (!page || !load_relaxed(page)) {
		page = make_guard();
		if (page) {
			store_relaxed(&may_skip, register_membarrier());
			timens_offset_ns = read_timens_offset();
			atomic_store(&current_guard, page);
		}
	}
	pthread_mutex_unlock(&lock);
	*guard = page;
	return page ? 0 : -ENOMEM;
}

bool process_may_skip(void)
{
	return load_relaxed(&may_skip);
}

void process_membarrier(void)
{
	if (membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED))
		full_barrier();
}

void process_membarrier_threads(void)
{
	if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		full_barrier();
}

uint64_t process_random(void)
{
	uint64_t n = 0;

	/* Early in boot there may be no randomness yet: a name for tools is not worth waiting for. */
	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != (ssize_t)sizeof(n) || !n)
		n = (uint64_t)getpid() << 40 ^ (uint64_t)process_now();
	return n;
}

int64_t process_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

uint32_t process_now_coarse_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

int64_t process_to_kernel_time(int64_t deadline)
{
	return deadline == SHMIPC_FOREVER ? deadline : deadline - timens_offset_ns;
}
