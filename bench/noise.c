// SPDX-License-Identifier: Apache-2.0
/*
 * What is difference, and what is noise. The bootstrap asks nothing of how times are distributed, which is what one
 * knows of a busy host: nothing. With few turns it is cautious: of three and three all must lie apart.
 */
#include "noise.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TURNS_MOST 99
#define ROUNDS 4000
#define OUTSIDE (ROUNDS * 25 / 1000) /* of the rounds, at either end */

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double noise_median(const double *value, unsigned int count)
{
	double sorted[TURNS_MOST];

	if (!count)
		return NAN;
	memcpy(sorted, value, count * sizeof(*value));
	qsort(sorted, count, sizeof(*sorted), compare_doubles);
	return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* xorshift64* */
static unsigned int draw(uint64_t *state, unsigned int below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (unsigned int)(*state * UINT64_C(0x2545F4914F6CDD1D) >> 33) % below;
}

static double draw_median(uint64_t *state, const double *value, unsigned int count)
{
	double drawn[TURNS_MOST];
	unsigned int i;

	for (i = 0; i < count; i++)
		drawn[i] = value[draw(state, count)];
	return noise_median(drawn, count);
}

struct noise noise_compare(const double *times, unsigned int count, const double *base, unsigned int base_count,
			   bool paired)
{
	struct noise noise = { .known = count >= NOISE_TURNS && base_count >= NOISE_TURNS };
	double pair[TURNS_MOST], round[ROUNDS];
	uint64_t state = 1;
	double above, below;
	unsigned int i;

	for (i = 0; paired && i < count; i++)
		pair[i] = times[i] / base[i];
	noise.ratio = paired ? noise_median(pair, count) : noise_median(times, count) / noise_median(base, base_count);
	noise.low = noise.high = noise.ratio;
	if (!noise.known)
		return noise;
	for (i = 0; i < ROUNDS; i++) {
		above = draw_median(&state, paired ? pair : times, count);
		below = paired ? 1 : draw_median(&state, base, base_count);
		round[i] = above / below;
	}
	qsort(round, ROUNDS, sizeof(*round), compare_doubles);
	noise.low = round[OUTSIDE];
	noise.high = round[ROUNDS - 1 - OUTSIDE];
	return noise;
}

bool noise_differs(const struct noise *noise)
{
	return noise->known && (noise->low > 1 || noise->high < 1);
}
