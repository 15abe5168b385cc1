// SPDX-License-Identifier: Apache-2.0
/*
 * layout.c - tests of the geometry: its bounds, and where it puts things
 */
#include "shm/layout.h"

#include <string.h>
#include <unistd.h>

#include "pair.h"

static struct geometry good(void)
{
	struct geometry g;

	memset(&g, 0xa5, sizeof(g));
	g.slots = 256;
	g.slices = 512;
	g.segment_bytes = 32768;
	g.memory_max = 1 << 20;
	return g;
}

static void geometry_takes_the_defaults(struct pair *pair)
{
	struct geometry g = good();

	(void)pair;
	assert_null(geometry_init(&g));
	assert_int_equal(g.ring_at, 8192);
}

static void geometry_takes_every_bound_itself(struct pair *pair)
{
	static const uint32_t slots[] = { 16, 65536 }, slices[] = { 64, 65536 };
	struct geometry g;
	int i;

	(void)pair;
	for (i = 0; i < 2; i++) {
		g = good();
		g.slots = slots[i];
		g.slices = slices[i];
		assert_null(geometry_init(&g));
	}
	g = good();
	g.segment_bytes = g.memory_max = 4096;
	assert_null(geometry_init(&g));
	g = good();
	g.memory_max = LAYOUT_MEMORY_MAX;
	g.segment_bytes = LAYOUT_MEMORY_MAX;
	assert_null(geometry_init(&g));
}

static void geometry_names_slots_that_are_out_of_bounds_or_no_power_of_two(struct pair *pair)
{
	static const uint32_t bad[] = { 0, 1, 8, 15, 17, 255, 257, 65535, 65537, 131072, UINT32_MAX };
	size_t i;

	(void)pair;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct geometry g = good();

		g.slots = bad[i];
		assert_string_equal(geometry_init(&g), "slots");
	}
}

static void geometry_names_slices_that_are_out_of_bounds_or_no_power_of_two(struct pair *pair)
{
	static const uint32_t bad[] = { 0, 1, 32, 63, 65, 511, 513, 65537, 131072, UINT32_MAX };
	size_t i;

	(void)pair;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct geometry g = good();

		g.slices = bad[i];
		assert_string_equal(geometry_init(&g), "slices");
	}
}

static void geometry_names_a_memory_max_that_is_out_of_bounds(struct pair *pair)
{
	static const uint64_t bad[] = { 0, 1, 4095, LAYOUT_MEMORY_MAX + 1, UINT64_MAX };
	size_t i;

	(void)pair;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct geometry g = good();

		g.memory_max = bad[i];
		assert_string_equal(geometry_init(&g), "memory_max");
	}
}

static void geometry_names_a_segment_that_is_too_small_or_beyond_memory_max(struct pair *pair)
{
	static const uint64_t bad[] = { 0, 4095, (1 << 20) + 1, UINT64_MAX };
	size_t i;

	(void)pair;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct geometry g = good();

		g.segment_bytes = bad[i];
		assert_string_equal(geometry_init(&g), "segment_bytes");
	}
}

static void geometry_rounds_memory_up_to_pages(struct pair *pair)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct geometry g = good();

	(void)pair;
	g.segment_bytes = 4097;
	g.memory_max = 3 * page + 1;
	assert_null(geometry_init(&g));
	assert_int_equal(g.segment_bytes, (4097 + page - 1) / page * page);
	assert_int_equal(g.memory_max, 4 * page);
	assert_int_equal(g.head_bytes % page, 0);
}

static void parts_of_the_head_follow_each_other_without_overlap(struct pair *pair)
{
	uint32_t slots, slices;

	(void)pair;
	for (slots = LAYOUT_SLOTS_MIN; slots <= LAYOUT_SLOTS_MAX; slots *= 2)
		for (slices = LAYOUT_SLICES_MIN; slices <= LAYOUT_SLICES_MAX; slices *= 2) {
			struct geometry g = good();

			g.slots = slots;
			g.slices = slices;
			assert_null(geometry_init(&g));
			assert_true(g.ring_at >= 2 * LAYOUT_PAGE);
			assert_true(g.returns_at >= g.ring_at + (uint64_t)slots * sizeof(struct slot));
			assert_true(g.table_at >= g.returns_at + (uint64_t)slices * sizeof(uint64_t));
			assert_true(g.head_bytes >= g.table_at + (uint64_t)slices * sizeof(struct slice_entry));
		}
}

static void lane_members_stand_in_the_head_where_the_geometry_says(struct pair *pair)
{
	struct geometry g = good();
	unsigned char *head;
	struct lane lane;

	(void)pair;
	memset(&lane, 0xa5, sizeof(lane));
	assert_null(geometry_init(&g));
	head = (void *)(uintptr_t)0x40000000; /* only computed with */
	lane_set(&lane, head, &g);
	assert_ptr_equal(lane.words, head);
	assert_ptr_equal(lane.record, head + 1024);
	assert_ptr_equal(lane.tool, head + 4096);
	assert_ptr_equal(lane.ring, head + g.ring_at);
	assert_ptr_equal(lane.returns, head + g.returns_at);
	assert_ptr_equal(lane.table, head + g.table_at);
}

static void words_of_different_writers_and_the_hot_ones_share_no_line(struct pair *pair)
{
	(void)pair;
	assert_int_equal(offsetof(struct lane_words, seq), 0);
	assert_int_equal(offsetof(struct lane_words, rung), 4);
	assert_true(offsetof(struct lane_words, cons) / 64 > offsetof(struct lane_words, rung) / 64);
	assert_true(offsetof(struct lane_words, skip) / 64 > offsetof(struct lane_words, cons) / 64);
	assert_true(offsetof(struct lane_words, ret_cons) / 64 > offsetof(struct lane_words, unmapped) / 64);
	assert_int_equal(_Alignof(struct slot), 64);
}

static void what_a_sender_and_a_receiver_count_is_on_different_lines(struct pair *pair)
{
	size_t sent = offsetof(struct lane_tool, bytes_sent) / 64,
	       received = offsetof(struct lane_tool, bytes_received) / 64;

	(void)pair;
	assert_int_equal(offsetof(struct lane_tool, messages_sent) / 64, sent);
	assert_int_equal(offsetof(struct lane_tool, messages_received) / 64, received);
	assert_true(sent != received);
	assert_true(offsetof(struct lane_tool, rings) / 64 != sent);
	assert_true(offsetof(struct lane_tool, rings) / 64 != received);
}

static void a_return_entry_holds_its_lap_and_its_slice(struct pair *pair)
{
	(void)pair;
	assert_int_equal(RETURN_ENTRY(0, 5), 1ull << 32 | 5);
	assert_int_equal(RETURN_ENTRY(UINT32_MAX, 7), 7);
	assert_int_equal(RETURN_ENTRY(UINT32_MAX - 1, 65535), 0xffffffffull << 32 | 65535);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(geometry_takes_the_defaults),
		ALONE(geometry_takes_every_bound_itself),
		ALONE(geometry_names_slots_that_are_out_of_bounds_or_no_power_of_two),
		ALONE(geometry_names_slices_that_are_out_of_bounds_or_no_power_of_two),
		ALONE(geometry_names_a_memory_max_that_is_out_of_bounds),
		ALONE(geometry_names_a_segment_that_is_too_small_or_beyond_memory_max),
		ALONE(geometry_rounds_memory_up_to_pages),
		ALONE(parts_of_the_head_follow_each_other_without_overlap),
		ALONE(lane_members_stand_in_the_head_where_the_geometry_says),
		ALONE(words_of_different_writers_and_the_hot_ones_share_no_line),
		ALONE(what_a_sender_and_a_receiver_count_is_on_different_lines),
		ALONE(a_return_entry_holds_its_lap_and_its_slice),
	};

	return RUN_TESTS(tests, argc, argv);
}
