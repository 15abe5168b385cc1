// SPDX-License-Identifier: Apache-2.0
/* Messages of several sizes, chosen by a fixed hash of their number. */
#include "mix.h"

#include <stdio.h>
#include <string.h>

/* Shapes for those who have no figures of their own: made up, not taken from somebody's traffic. */
static const struct named {
	const char *name;
	struct {
		size_t size;
		uint32_t weight;
	} part[MIX_MOST];
} named[] = {
	{ "rpc", { { 64, 50 }, { 256, 25 }, { 1 << 10, 15 }, { 4 << 10, 8 }, { 64 << 10, 2 } } },
	{ "log", { { 64, 20 }, { 128, 40 }, { 256, 30 }, { 1 << 10, 9 }, { 8 << 10, 1 } } },
	{ "bulk", { { 128, 80 }, { 256 << 10, 15 }, { 1 << 20, 5 } } },
};

bool mix_add(struct mix *mix, size_t size, uint32_t weight)
{
	if (mix->count == MIX_MOST)
		return false;
	mix->size[mix->count] = size;
	mix->until[mix->count] = weight + (mix->count ? mix->until[mix->count - 1] : 0);
	mix->count++;
	return true;
}

bool mix_find(struct mix *mix, const char *name)
{
	unsigned int i, k;

	for (i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		if (strcmp(named[i].name, name))
			continue;
		memset(mix, 0, sizeof(*mix));
		snprintf(mix->name, sizeof(mix->name), "%s", name);
		for (k = 0; k < MIX_MOST && named[i].part[k].size; k++)
			mix_add(mix, named[i].part[k].size, named[i].part[k].weight);
		return true;
	}
	return false;
}

const char *mix_names(void)
{
	return "rpc, log, bulk";
}

/* Every bit of the number bears on every bit of the result. */
static uint64_t hash(uint64_t number)
{
	number += UINT64_C(0x9e3779b97f4a7c15);
	number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
	return number ^ number >> 31;
}

size_t mix_size(const struct mix *mix, uint64_t number)
{
	uint32_t at = hash(number) % mix->until[mix->count - 1];
	unsigned int i;

	for (i = 0; at >= mix->until[i]; i++)
		;
	return mix->size[i];
}

size_t mix_largest(const struct mix *mix)
{
	size_t most = 0;
	unsigned int i;

	for (i = 0; i < mix->count; i++)
		if (mix->size[i] > most)
			most = mix->size[i];
	return most;
}

double mix_mean(const struct mix *mix)
{
	double sum = 0;
	unsigned int i;

	for (i = 0; i < mix->count; i++)
		sum += (double)mix->size[i] * (mix->until[i] - (i ? mix->until[i - 1] : 0));
	return sum / mix->until[mix->count - 1];
}
