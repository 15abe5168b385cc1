/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes.h - two lanes made by hand, for tests of what decodes them
 */
#ifndef TESTS_CTL_LANES_H
#define TESTS_CTL_LANES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/shmipcctl/image.h"

#define SLOTS 16u
#define SLICES 64u
#define SEGMENT 65536u

/* Both lanes' heads, writable, and how the tool sees them. */
struct lanes {
	struct lane lane[2];
	void *head[2];
	struct geometry geometry;
	struct image_pair pair;
};

static inline void lanes_see(struct lanes *l)
{
	int e;

	for (e = 0; e < 2; e++)
		image_open(&l->pair.lane[e], l->head[e], l->geometry.head_bytes);
}

/* Two lanes of one segment each, all of it free. */
static inline void lanes_make(struct lanes *l)
{
	int e;

	memset(l, 0, sizeof(*l));
	l->geometry =
		(struct geometry){ .slots = SLOTS, .slices = SLICES, .segment_bytes = SEGMENT, .memory_max = 1 << 20 };
	assert_null(geometry_init(&l->geometry));
	for (e = 0; e < 2; e++) {
		l->head[e] = aligned_alloc(4096, l->geometry.head_bytes);
		memset(l->head[e], 0, l->geometry.head_bytes);
		lane_set(&l->lane[e], l->head[e], &l->geometry);
		*l->lane[e].record = (struct lane_record){ .magic = LAYOUT_MAGIC,
							   .version = LAYOUT_VERSION,
							   .endpoint = (uint32_t)e,
							   .channel = 0xabcdef,
							   .geometry = l->geometry };
		l->lane[e].table[0] = (struct slice_entry){ .state = SLICE_FREE, .granules = SEGMENT / 64 };
		l->lane[e].tool->memory_bytes = l->geometry.head_bytes + SEGMENT;
		l->pair.lane[e].segment[0].bytes = SEGMENT;
		l->pair.lane[e].segments_known = true;
	}
	lanes_see(l);
}

static inline void lanes_free(struct lanes *l)
{
	free(l->head[0]);
	free(l->head[1]);
}

/* Endpoint e publishes a message of so many bytes in its next slot. */
static inline void lanes_push(struct lanes *l, int e, uint32_t index, uint32_t size, enum slot_carry carry)
{
	struct slot *slot = &l->lane[e].ring[index % SLOTS];

	store_relaxed(&slot->size, size);
	store_relaxed(&slot->tag, 7);
	store_relaxed(&slot->what, (uint32_t)carry << 16);
	store_relaxed(&slot->lap, index + 1);
	if (carry != SLOT_HOLE)
		count(&l->lane[e].tool->messages_sent, 1);
}

/* Slice 1 takes the first bytes of the segment and is lent; slice 0 keeps the rest. */
static inline void lanes_lend(struct lanes *l, int e, uint32_t size, uint32_t lent_ms)
{
	uint32_t granules = (size + 63) / 64;

	l->lane[e].table[0] = (struct slice_entry){ .state = SLICE_FREE,
						    .offset = granules * 64,
						    .granules = SEGMENT / 64 - granules };
	l->lane[e].table[1] = (struct slice_entry){
		.state = SLICE_LENT, .granules = granules, .size = size, .tag = 7, .lent_ms = lent_ms
	};
	l->lane[e].tool->slices_lent = 1;
	l->lane[e].tool->bytes_lent = size;
}

#endif /* TESTS_CTL_LANES_H */
