/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

/*
 * Values below 2^HISTOGRAM_BITS are kept exactly; above, every power of two is cut into 2^(HISTOGRAM_BITS - 1)
 * equal parts, and a part is reported by its middle: an error below 0.03 %, fine enough for the instruction clock,
 * where the same run gives the same figure. Values from 2^HISTOGRAM_RANGE on count as the largest one.
 */
#define HISTOGRAM_BITS 12
#define HISTOGRAM_RANGE 42
#define HISTOGRAM_HALF (1u << (HISTOGRAM_BITS - 1))
#define HISTOGRAM_CELLS ((HISTOGRAM_RANGE - HISTOGRAM_BITS + 2) * HISTOGRAM_HALF)

/* Plain memory, all zero when empty: may lie in pages shared between processes, with one writer at a time. */
struct histogram {
	uint64_t count;
	uint64_t sum;
	uint64_t min;
	uint64_t max;
	uint64_t cell[HISTOGRAM_CELLS];
};

/* Where a value is counted, and the middle of the values that are counted there. */
unsigned int histogram_cell(uint64_t value);
uint64_t histogram_middle(unsigned int cell);

void histogram_init(struct histogram *h);
void histogram_record(struct histogram *h, uint64_t value);

/* Adds what @from holds to @into. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/*
 * The smallest value that at least @share (0 to 1) of all recorded values do not exceed, within the error above and
 * never outside the recorded extremes. 0 when nothing was recorded.
 */
uint64_t histogram_quantile(const struct histogram *h, double share);
double histogram_mean(const struct histogram *h);

/* Values that were counted together: those up to @upper, and above the part before it. */
struct histogram_part {
	uint64_t upper, count;
};

/*
 * What @h holds in at most @most parts (32 or more) that are not empty, in order; they are as fine as that allows, and
 * relatively equal in width. How many there are.
 */
unsigned int histogram_fold(const struct histogram *h, struct histogram_part *part, unsigned int most);

#endif
