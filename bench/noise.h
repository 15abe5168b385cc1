/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_NOISE_H
#define BENCH_NOISE_H

#include <stdbool.h>

/* Fewer turns than these say nothing about noise: three against three can still come in one order by chance. */
#define NOISE_TURNS 3

/* How times stand against others: the ratio of their medians, and where the middle 95 % of such ratios lie. */
struct noise {
	double ratio, low, high;
	bool known; /* there were turns enough for @low and @high */
};

/* NAN when there is none. */
double noise_median(const double *value, unsigned int count);

/*
 * Takes @times against @base by the bootstrap: turns are drawn anew from those that were measured, with repetition, and
 * the ratio is taken again. @paired: the two took turns with each other, so turns are drawn in pairs, and the ratio is the
 * median of those within the pairs; then @count must be equal to @base_count. The same input gives the same output.
 * At most 99 of each.
 */
struct noise noise_compare(const double *times, unsigned int count, const double *base, unsigned int base_count,
			   bool paired);

/* Is 1 outside of what noise alone makes of the ratio? */
bool noise_differs(const struct noise *noise);

#endif
