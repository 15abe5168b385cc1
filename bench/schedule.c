// SPDX-License-Identifier: Apache-2.0
/*
 * When messages are due, and how a sender waits for that. The schedule waits for nobody: what comes late because the
 * one before took long is late, and latencies count from the schedule.
 *
 * A thread that waits sleeps until shortly before the time, and then looks at the clock, because its own oversleeping must
 * not pass for the transport's latency. What it spends on that is booked, so that it can be left out of what messages
 * cost; so is how late it was nevertheless.
 */
#include "schedule.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "ticks.h"

/* More than a timer's slack and a wake-up take. */
#define MARGIN_NS 150000

#define SLEEP_CALLS 3

/* Between two looks at the clock that are further apart, something else had the processor. */
#define LOOK_NS 2000

void schedule_start(struct schedule *s, const struct plan *plan, uint64_t began, double first, double gap)
{
	memset(s, 0, sizeof(*s));
	s->begin = began + (uint64_t)(first * 1e9 * ticks_clock.per_ns);
	s->gap = gap * 1e9 * ticks_clock.per_ns;
	s->poisson = plan->poisson;
	s->random = (uint64_t)(first * 1e12) * 2 + 1;
}

/* Above 0, up to 1. The generator is Knuth's MMIX; its upper bits are the good ones. */
static double draw(struct schedule *s)
{
	s->random = s->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double)(s->random >> 11) + 1) / (double)(UINT64_C(1) << 53);
}

uint64_t schedule_next(struct schedule *s)
{
	uint64_t due = s->begin + (uint64_t)s->next;

	s->next += s->poisson ? -log(draw(s)) * s->gap : s->gap;
	return due;
}

static uint64_t read_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Returns the processor time that it took. Makes SLEEP_CALLS system calls. */
static uint64_t sleep_ns(uint64_t ns)
{
	const struct timespec ts = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
	uint64_t before = read_cpu_ns();

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	return read_cpu_ns() - before;
}

/* Returns the processor time that it took, in ticks. To ask the kernel for it would make it late. */
static uint64_t watch_clock(uint64_t due)
{
	const uint64_t look = LOOK_NS * ticks_clock.per_ns;
	uint64_t before = ticks_now(), now, spun = 0;

	for (now = before; now < due; before = now) {
		ticks_relax();
		now = ticks_now();
		if (now - before < look)
			spun += now - before;
	}
	return spun;
}

void schedule_wait(uint64_t due, struct pacing *pacing)
{
	uint64_t now = ticks_now(), cpu_ns = 0;
	bool sleeps;
	double left;

	if (now >= due)
		return;
	left = ticks_to_ns(due - now);
	sleeps = left > MARGIN_NS;
	if (sleeps)
		cpu_ns = sleep_ns(left - MARGIN_NS);
	cpu_ns += ticks_to_ns(watch_clock(due));
	if (!pacing)
		return;
	pacing->cpu_ns += cpu_ns;
	pacing->sleeps += sleeps;
	pacing->syscalls += sleeps ? SLEEP_CALLS : 0;
	histogram_record(&pacing->late, ticks_now() - due);
}

void schedule_end(const struct schedule *s, struct pacing *pacing)
{
	pacing->offered_ticks = s->next;
	pacing->done_ticks = ticks_now() - s->begin;
}

void pacing_merge(struct pacing *into, const struct pacing *from)
{
	if (from->offered_ticks > into->offered_ticks)
		into->offered_ticks = from->offered_ticks;
	if (from->done_ticks > into->done_ticks)
		into->done_ticks = from->done_ticks;
	into->cpu_ns += from->cpu_ns;
	into->sleeps += from->sleeps;
	into->syscalls += from->syscalls;
	histogram_merge(&into->late, &from->late);
}
