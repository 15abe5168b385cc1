// SPDX-License-Identifier: Apache-2.0
/*
 * layout.c - computes where things stand in a lane's head, and nothing else
 */
#include "layout.h"

#include <unistd.h>

static bool is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) & ~(to - 1);
}

const char *geometry_init(struct geometry *g)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!is_power_of_two(g->slots) || g->slots < LAYOUT_SLOTS_MIN || g->slots > LAYOUT_SLOTS_MAX)
		return "slots";
	if (!is_power_of_two(g->slices) || g->slices < LAYOUT_SLICES_MIN || g->slices > LAYOUT_SLICES_MAX)
		return "slices";
	if (g->memory_max < LAYOUT_PAGE || g->memory_max > LAYOUT_MEMORY_MAX)
		return "memory_max";
	if (g->segment_bytes < LAYOUT_PAGE || g->segment_bytes > g->memory_max)
		return "segment_bytes";

	g->memory_max = round_up(g->memory_max, page);
	g->segment_bytes = round_up(g->segment_bytes, page);
	g->ring_at = 2 * LAYOUT_PAGE;
	g->returns_at = g->ring_at + (uint64_t)g->slots * sizeof(struct slot);
	g->table_at = g->returns_at + (uint64_t)g->slices * sizeof(uint64_t);
	g->head_bytes = round_up(g->table_at + (uint64_t)g->slices * sizeof(struct slice_entry), page);
	return NULL;
}

void lane_set(struct lane *lane, void *head, const struct geometry *g)
{
	unsigned char *base = head;

	lane->words = head;
	lane->record = (void *)(base + LAYOUT_RECORD);
	lane->tool = (void *)(base + LAYOUT_PAGE);
	lane->ring = (void *)(base + g->ring_at);
	lane->returns = (void *)(base + g->returns_at);
	lane->table = (void *)(base + g->table_at);
}
