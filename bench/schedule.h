/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_SCHEDULE_H
#define BENCH_SCHEDULE_H

#include <stdbool.h>

#include "histogram.h"
#include "transport.h"

/*
 * Times at which something is due whatever became of what was due before: at equal distances, or at random ones as of
 * callers that know nothing of each other (a Poisson process). The same parameters give the same times.
 */
struct schedule {
	double next, gap; /* ticks after begin */
	uint64_t begin;   /* when the first one is due, in ticks */
	uint64_t random;
	bool poisson;
};

/* How a side kept to a schedule while it was measured. */
struct pacing {
	uint64_t offered_ticks; /* from the first time of the schedule until one after the last */
	uint64_t done_ticks;    /* from there until the last message was through */
	uint64_t cpu_ns;        /* processor time that waiting for a time took */
	uint64_t sleeps;        /* until it was near */
	uint64_t syscalls;
	struct histogram late;  /* how long after a time that it had waited for this side was ready */
};

/* The first one is due @first after @began, the rest @gap apart, or apart on average; both in seconds. */
void schedule_start(struct schedule *s, const struct plan *plan, uint64_t began, double first, double gap);

/* When the next one is due, in ticks. */
uint64_t schedule_next(struct schedule *s);

/* Waits for @due, not at all when it has passed. @pacing: NULL, or where to book it. */
void schedule_wait(uint64_t due, struct pacing *pacing);

/* All that @s had to say was done by now. */
void schedule_end(const struct schedule *s, struct pacing *pacing);

/* Adds what a thread did, that kept to the same schedule or to its share of it. */
void pacing_merge(struct pacing *into, const struct pacing *from);

#endif
