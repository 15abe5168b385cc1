/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_MIX_H
#define BENCH_MIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIX_MOST 16
#define MIX_NAME 96

/* How often messages of which size occur. One size alone is a mix too. */
struct mix {
	char name[MIX_NAME]; /* as the user wrote it, without "mix:"; empty for one size alone */
	unsigned int count;
	size_t size[MIX_MOST];
	uint32_t until[MIX_MOST]; /* sum of the weights up to and with this size */
};

/* Adds a size; false when there are too many. Weights are shares of their sum. */
bool mix_add(struct mix *mix, size_t size, uint32_t weight);

/* Fills @mix with one that has a name; false if there is none of that name. */
bool mix_find(struct mix *mix, const char *name);

/* "rpc, log, bulk": what mix_find() knows. */
const char *mix_names(void);

/* The size of message @number: always the same one, so both sides know it, and so is the next run's. */
size_t mix_size(const struct mix *mix, uint64_t number);

size_t mix_largest(const struct mix *mix);
double mix_mean(const struct mix *mix);

#endif
