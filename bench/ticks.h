/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_TICKS_H
#define BENCH_TICKS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#define TICKS_HAVE_TSC 1
#else
#define TICKS_HAVE_TSC 0
#endif

/* Which clock the runs are timed with. Set by ticks_init() before any fork, the same in all processes after it. */
struct ticks_clock {
	bool tsc;          /* the processor's time stamp counter; otherwise CLOCK_MONOTONIC in ns */
	bool instructions; /* one tick is one instruction: an emulated processor under QEMU's icount */
	double per_ns;
	char description[96];
};

extern struct ticks_clock ticks_clock;

/* Chooses and calibrates the clock. @cpus is the number of processors online, @emulated whether QEMU emulates them. */
void ticks_init(unsigned int cpus, bool emulated);

/* CLOCK_MONOTONIC in ns: for deadlines. */
static inline uint64_t ticks_monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Now, in ticks; comparable between processes and processors. Earlier loads have completed when it is read. */
static inline uint64_t ticks_now(void)
{
#if TICKS_HAVE_TSC
	if (__builtin_expect(ticks_clock.tsc, 1)) {
		_mm_lfence();
		return __rdtsc();
	}
#endif
	return ticks_monotonic_ns();
}

/* Between two looks at a clock or a word. */
static inline void ticks_relax(void)
{
#if TICKS_HAVE_TSC
	_mm_pause();
#endif
}

static inline double ticks_to_ns(double ticks)
{
	return ticks / ticks_clock.per_ns;
}

#endif
