// SPDX-License-Identifier: Apache-2.0
/*
 * message.c - sizes and bytes of the messages of a run, from a seed
 */
#include "message.h"

#include <string.h>

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

uint64_t rng_next(uint64_t *state)
{
	return mix(*state += 0x9e3779b97f4a7c15ull);
}

uint64_t rng_below(uint64_t *state, uint64_t limit)
{
	return rng_next(state) % limit;
}

static uint64_t hash(const struct recipe *recipe, uint64_t sequence)
{
	return mix(recipe->seed ^ mix(sequence + 1));
}

/* Many at the edges of what a slot holds, of a granule and of a page. */
static size_t small_size(uint64_t h)
{
	static const size_t edges[] = { 0, 1, 64, 111, 112, 113, 127, 128, 129, 4096 };

	if (h % 8 == 0)
		return edges[(h >> 8) % (sizeof(edges) / sizeof(*edges))];
	return (h >> 8) % (h % 8 < 6 ? 113 : 600);
}

size_t message_size(const struct recipe *recipe, uint64_t sequence)
{
	uint64_t h = hash(recipe, sequence), dice = h % 100;
	size_t size;

	if (recipe->exact)
		return recipe->exact;
	h = mix(h);
	if (recipe->sizes == SIZES_SMALL || dice < 60)
		size = small_size(h);
	else if (recipe->sizes == SIZES_MIXED || dice < 90)
		size = dice < 95 ? h % 16384 : h % 300000;
	else
		size = h % (5u << 20);
	return size <= recipe->most ? size : h % (recipe->most + 1);
}

uint16_t message_kind(const struct recipe *recipe, uint64_t sequence)
{
	return (uint16_t)((hash(recipe, sequence) >> 40) % KIND_END);
}

#define STEP 0x9e3779b97f4a7c15ull

void message_fill(const struct recipe *recipe, uint64_t sequence, void *data, size_t size)
{
	uint64_t word = hash(recipe, sequence) + size;
	unsigned char *at = data;
	size_t i;

	for (i = 0; i + sizeof(word) <= size; i += sizeof(word), word += STEP)
		memcpy(at + i, &word, sizeof(word));
	if (i < size)
		memcpy(at + i, &word, size - i);
}

static ptrdiff_t first_difference(const unsigned char *a, const unsigned char *b)
{
	ptrdiff_t i = 0;

	while (a[i] == b[i])
		i++;
	return i;
}

ptrdiff_t message_check(const struct recipe *recipe, uint64_t sequence, const void *data, size_t size)
{
	uint64_t word = hash(recipe, sequence) + size, got;
	const unsigned char *at = data;
	size_t i;

	for (i = 0; i + sizeof(word) <= size; i += sizeof(word), word += STEP) {
		memcpy(&got, at + i, sizeof(got));
		if (got != word)
			return (ptrdiff_t)i + first_difference((void *)&got, (void *)&word);
	}
	if (i < size && memcmp(at + i, &word, size - i))
		return (ptrdiff_t)i + first_difference(at + i, (void *)&word);
	return -1;
}
