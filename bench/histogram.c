// SPDX-License-Identifier: Apache-2.0
/*
 * A log-linear histogram: constant relative error, constant cost per value, no allocation. Knows nothing of clocks or
 * units, and does no locking: whoever records is alone.
 */
#include "histogram.h"

#include <string.h>

#define LARGEST ((UINT64_C(1) << HISTOGRAM_RANGE) - 1)

unsigned int histogram_cell(uint64_t value)
{
	unsigned int shift;

	if (value > LARGEST)
		value = LARGEST;
	if (value < 2 * HISTOGRAM_HALF)
		return value;
	shift = 63 - __builtin_clzll(value) - (HISTOGRAM_BITS - 1);
	return shift * HISTOGRAM_HALF + (value >> shift);
}

uint64_t histogram_middle(unsigned int cell)
{
	unsigned int shift;
	uint64_t low;

	if (cell < 2 * HISTOGRAM_HALF)
		return cell;
	shift = cell / HISTOGRAM_HALF - 1;
	low = (uint64_t)(HISTOGRAM_HALF + cell % HISTOGRAM_HALF) << shift;
	return low + (UINT64_C(1) << shift) / 2;
}

void histogram_init(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

void histogram_record(struct histogram *h, uint64_t value)
{
	h->cell[histogram_cell(value)]++;
	if (!h->count || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->sum += value;
	h->count++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	unsigned int i;

	if (!from->count)
		return;
	for (i = 0; i < HISTOGRAM_CELLS; i++)
		into->cell[i] += from->cell[i];
	if (!into->count || from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	into->sum += from->sum;
	into->count += from->count;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
	uint64_t seen = 0, wanted, value;
	unsigned int i;

	if (!h->count)
		return 0;
	wanted = share * h->count;
	if (wanted < share * h->count || !wanted)
		wanted++;
	if (wanted >= h->count)
		return h->max;
	for (i = 0; i < HISTOGRAM_CELLS - 1; i++) {
		seen += h->cell[i];
		if (seen >= wanted)
			break;
	}
	value = histogram_middle(i);
	if (value < h->min)
		return h->min;
	return value > h->max ? h->max : value;
}

double histogram_mean(const struct histogram *h)
{
	return h->count ? (double)h->sum / h->count : 0;
}

/* The largest value that is counted in @cell. */
static uint64_t upper_of(unsigned int cell)
{
	unsigned int shift = cell < 2 * HISTOGRAM_HALF ? 0 : cell / HISTOGRAM_HALF - 1;

	return shift ? ((uint64_t)(HISTOGRAM_HALF + cell % HISTOGRAM_HALF + 1) << shift) - 1 : cell;
}

/* The parts that groups of 2^@shift cells make. Groups do not cross a power of two: a power is HISTOGRAM_HALF cells. */
static unsigned int fold_by(const struct histogram *h, unsigned int shift, struct histogram_part *part, unsigned int most)
{
	unsigned int cell, parts = 0, group = UINT32_MAX;

	for (cell = 0; cell < HISTOGRAM_CELLS; cell++) {
		if (!h->cell[cell])
			continue;
		if (cell >> shift != group && parts++ == most)
			return parts;
		if (cell >> shift != group)
			part[parts - 1].count = 0;
		group = cell >> shift;
		part[parts - 1].upper = upper_of(((group + 1) << shift) - 1);
		part[parts - 1].count += h->cell[cell];
	}
	return parts;
}

unsigned int histogram_fold(const struct histogram *h, struct histogram_part *part, unsigned int most)
{
	unsigned int shift = 0, parts;

	while ((parts = fold_by(h, shift, part, most)) > most)
		shift++;
	return parts;
}
