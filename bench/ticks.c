// SPDX-License-Identifier: Apache-2.0
/*
 * The clock of the bench. The time stamp counter is taken where the kernel trusts it too, because a
 * clock_gettime() is a tenth of a small round trip; elsewhere CLOCK_MONOTONIC serves. Under QEMU's icount the
 * counter is an instruction counter, and that is worth knowing: ticks_init() finds out.
 */
#include "ticks.h"

#include <stdio.h>
#include <string.h>

struct ticks_clock ticks_clock = { .per_ns = 1, .description = "clock_gettime(CLOCK_MONOTONIC)" };

#if TICKS_HAVE_TSC

static bool cpu_has_flags(const char *first, const char *second)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	bool found = false;
	char line[8192];

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = !strncmp(line, "flags", 5) && strstr(line, first) && strstr(line, second);
	fclose(f);
	return found;
}

static bool trust_tsc(void)
{
	char source[32] = "";
	FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");

	if (f) {
		if (!fgets(source, sizeof(source), f))
			source[0] = '\0';
		fclose(f);
	}
	return !strcmp(source, "tsc\n") || cpu_has_flags("constant_tsc", "nonstop_tsc");
}

/* A loop of exactly 2 * @rounds instructions between two readings. */
static uint64_t time_loop(uint64_t rounds)
{
	uint64_t begin = __rdtsc();

	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(rounds) : : "cc");
	return __rdtsc() - begin;
}

/*
 * True when the counter counts instructions. Only asked on an emulated uniprocessor, and it must hold four times
 * in five (a timer tick may spoil one), so a real clock that happens to run at the right rate once does not pass.
 */
static bool tsc_counts_instructions(void)
{
	const uint64_t rounds = 50000;
	int i, hits = 0;

	for (i = 0; i < 5; i++) {
		uint64_t ticks = time_loop(rounds);

		hits += ticks > 2 * rounds * 99 / 100 && ticks < 2 * rounds * 101 / 100;
	}
	return hits >= 4;
}

static double measure_rate(void)
{
	uint64_t t0, t1, ns0, ns1;

	ns0 = ticks_monotonic_ns();
	t0 = __rdtsc();
	do {
		ns1 = ticks_monotonic_ns();
		t1 = __rdtsc();
	} while (ns1 - ns0 < 20000000);
	return (double)(t1 - t0) / (ns1 - ns0);
}

void ticks_init(unsigned int cpus, bool emulated)
{
	ticks_clock.instructions = emulated && cpus == 1 && tsc_counts_instructions();
	ticks_clock.tsc = ticks_clock.instructions || trust_tsc();
	if (!ticks_clock.tsc)
		return;
	ticks_clock.per_ns = measure_rate();
	snprintf(ticks_clock.description, sizeof(ticks_clock.description),
		 ticks_clock.instructions ? "instruction clock: TSC at %.1f MHz, one tick per instruction (icount)"
					  : "TSC at %.1f MHz",
		 ticks_clock.per_ns * 1000);
}

#else

void ticks_init(unsigned int cpus, bool emulated)
{
	(void)cpus;
	(void)emulated;
}

#endif
