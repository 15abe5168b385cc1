// SPDX-License-Identifier: Apache-2.0
/*
 * decode.c - tests of what is read out of two lanes, and of the invariants, on lanes made by hand
 */
#include "lanes.h"

#include "decode.h"
#include "invariants.h"
#include "leaks.h"

static struct lanes l;

static int set_up(void **state)
{
	(void)state;
	lanes_make(&l);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lanes_free(&l);
	return 0;
}

static const char *fault_of(void)
{
	lanes_see(&l);
	return l.pair.lane[0].fault;
}

static enum verdict verdict_of(const char *name, int endpoint)
{
	struct findings findings;
	int i;

	lanes_see(&l);
	invariants_check(&l.pair, true, &findings);
	for (i = 0; i < findings.count; i++)
		if (!strcmp(findings.list[i].name, name) && findings.list[i].endpoint == endpoint)
			return findings.list[i].verdict;
	fail_msg("no invariant %s", name);
	return VERDICT_OPEN;
}

static int count_failed(void)
{
	struct findings findings;

	lanes_see(&l);
	invariants_check(&l.pair, true, &findings);
	return findings_count(&findings, VERDICT_FAILS);
}

static void a_sound_head_is_decoded(void **state)
{
	(void)state;
	assert_null(fault_of());
	assert_int_equal(l.pair.lane[0].geometry.slots, SLOTS);
	assert_int_equal(count_failed(), 0);
}

static void a_head_with_another_magic_version_endpoint_or_size_is_not(void **state)
{
	(void)state;
	l.lane[0].record->magic ^= 1;
	assert_non_null(fault_of());
	l.lane[0].record->magic ^= 1;
	l.lane[0].record->version++;
	assert_non_null(fault_of());
	l.lane[0].record->version--;
	l.lane[0].record->endpoint = 2;
	assert_non_null(fault_of());
	l.lane[0].record->endpoint = 0;
	assert_null(fault_of());
	assert_false(image_open(&l.pair.lane[0], l.head[0], l.geometry.head_bytes - 4096));
	assert_false(image_open(&l.pair.lane[0], l.head[0], 100));
	assert_false(image_open(&l.pair.lane[0], NULL, 0));
}

static void a_geometry_that_is_not_its_own_is_refused(void **state)
{
	struct geometry good = l.geometry, *g = &l.lane[0].record->geometry;

	(void)state;
#define REFUSED(statement)                                                                                             \
	do {                                                                                                           \
		statement;                                                                                             \
		assert_non_null(fault_of());                                                                           \
		*g = good;                                                                                             \
	} while (0)
	REFUSED(g->slots = 17);
	REFUSED(g->slots = 0);
	REFUSED(g->slots = 1u << 31);
	REFUSED(g->slots = SLOTS * 2);
	REFUSED(g->slices = 3);
	REFUSED(g->slices = SLICES * 2);
	REFUSED(g->memory_max = 1ull << 60);
	REFUSED(g->segment_bytes = 0);
	REFUSED(g->ring_at = 0);
	REFUSED(g->returns_at += 8);
	REFUSED(g->table_at = UINT64_MAX);
	REFUSED(g->head_bytes += 4096);
	REFUSED(g->head_bytes = 0);
}

static void the_queue_is_what_is_published_and_not_consumed(void **state)
{
	struct lane_facts facts;

	(void)state;
	lanes_push(&l, 0, 0, 4, SLOT_INLINE);
	lanes_push(&l, 0, 1, 0, SLOT_HOLE);
	lanes_push(&l, 0, 2, 4, SLOT_INLINE);
	decode_lane(&l.pair.lane[0], &l.pair.lane[1], 0, &facts);
	assert_int_equal(facts.queue, 2);
	assert_int_equal(decode_queue(&l.pair.lane[0], &l.pair.lane[1]).slots, 3);
	assert_int_equal(count_failed(), 0);
	store_relaxed(&l.lane[1].words->cons, 2);
	count(&l.lane[1].tool->messages_received, 1);
	assert_int_equal(decode_queue(&l.pair.lane[0], &l.pair.lane[1]).slots, 1);
	assert_int_equal(count_failed(), 0);
}

static void what_was_read_and_not_shown_yet_is_not_in_the_queue(void **state)
{
	struct queue q;

	(void)state;
	lanes_push(&l, 0, 0, 4, SLOT_INLINE);
	lanes_push(&l, 0, 1, 4, SLOT_INLINE);
	count(&l.lane[1].tool->messages_received, 1);
	q = decode_queue(&l.pair.lane[0], &l.pair.lane[1]);
	assert_true(q.adds_up && q.slots == 2 && q.read == 1 && q.messages == 1);
	assert_int_equal(count_failed(), 0);
	/* More than a sixteenth of the ring is a lie. */
	count(&l.lane[1].tool->messages_received, 1);
	q = decode_queue(&l.pair.lane[0], &l.pair.lane[1]);
	assert_true(!q.adds_up && q.read == 0 && q.messages == 2);
	assert_int_equal(verdict_of("counters", 0), VERDICT_FAILS);
}

static void the_queue_is_never_longer_than_the_ring(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < SLOTS; i++)
		lanes_push(&l, 0, i, 4, SLOT_INLINE);
	assert_int_equal(decode_queue(&l.pair.lane[0], &l.pair.lane[1]).slots, SLOTS);
	store_relaxed(&l.lane[1].words->cons, UINT32_MAX);
	assert_int_equal(decode_queue(&l.pair.lane[0], &l.pair.lane[1]).slots, 0);
}

static void laps_go_round_and_over(void **state)
{
	uint32_t from = UINT32_MAX - 3, i;

	(void)state;
	for (i = 0; i < SLOTS; i++)
		store_relaxed(&l.lane[0].ring[(from + i - SLOTS) % SLOTS].lap, from + i - SLOTS + 1);
	store_relaxed(&l.lane[1].words->cons, from);
	for (i = 0; i < 6; i++)
		lanes_push(&l, 0, from + i, 4, SLOT_INLINE);
	assert_int_equal(decode_queue(&l.pair.lane[0], &l.pair.lane[1]).slots, 6);
	assert_int_equal(verdict_of("laps", 0), VERDICT_HOLDS);
	assert_int_equal(verdict_of("queue", 0), VERDICT_HOLDS);
}

static void a_lap_of_another_slot_or_round_fails(void **state)
{
	(void)state;
	store_relaxed(&l.lane[0].ring[3].lap, 5);
	assert_int_equal(verdict_of("laps", 0), VERDICT_FAILS);
	store_relaxed(&l.lane[0].ring[3].lap, 4);
	assert_int_equal(verdict_of("laps", 0), VERDICT_HOLDS);
	assert_int_equal(verdict_of("queue", 0), VERDICT_FAILS);
}

static void a_lent_slice_has_an_age_and_is_lent_until_it_is_given_back(void **state)
{
	struct lane_facts facts;
	struct leaks leaks;

	(void)state;
	lanes_lend(&l, 0, 1000, 5000);
	decode_lane(&l.pair.lane[0], &l.pair.lane[1], 8500, &facts);
	assert_int_equal(facts.lent, 1);
	assert_int_equal(facts.lent_bytes, 1000);
	assert_int_equal(facts.oldest_ms, 3500);
	assert_int_equal(leaks_find(&l.pair, 8500, 3500, &leaks), 0);
	assert_int_equal(leaks.count, 1);
	assert_int_equal(leaks.list[0].size, 1000);
	assert_false(leaks.list[0].queued);
	leaks_free(&leaks);
	assert_int_equal(leaks_find(&l.pair, 8500, 3501, &leaks), 0);
	assert_int_equal(leaks.count, 0);

	store_relaxed(&l.lane[1].returns[0], RETURN_ENTRY(0, 1));
	decode_lane(&l.pair.lane[0], &l.pair.lane[1], 8500, &facts);
	assert_int_equal(facts.lent, 0);
	assert_int_equal(facts.returned, 1);
	assert_int_equal(leaks_find(&l.pair, 8500, 0, &leaks), 0);
	assert_int_equal(leaks.count, 0);
	assert_int_equal(count_failed(), 0);
}

static void a_slice_whose_message_is_in_the_queue_is_called_queued(void **state)
{
	struct leaks leaks;

	(void)state;
	lanes_lend(&l, 0, 1000, 0);
	lanes_push(&l, 0, 0, 1000, SLOT_SLICE);
	store_relaxed(&l.lane[0].ring[0].ref.slice, 1);
	assert_int_equal(leaks_find(&l.pair, 10, 0, &leaks), 0);
	assert_int_equal(leaks.count, 1);
	assert_true(leaks.list[0].queued);
	leaks_free(&leaks);
	assert_int_equal(count_failed(), 0);
}

static void ages_go_over_the_clock_s_end_and_are_never_of_the_future(void **state)
{
	(void)state;
	assert_int_equal(decode_age(UINT32_MAX - 9, 10), 20);
	assert_int_equal(decode_age(10, 10), 0);
	assert_int_equal(decode_age(20, 10), 0);
}

static void a_message_that_its_slice_knows_nothing_of_fails(void **state)
{
	(void)state;
	lanes_lend(&l, 0, 1000, 0);
	lanes_push(&l, 0, 0, 999, SLOT_SLICE);
	store_relaxed(&l.lane[0].ring[0].ref.slice, 1);
	assert_int_equal(verdict_of("messages", 0), VERDICT_FAILS);
	store_relaxed(&l.lane[0].ring[0].size, 1000);
	assert_int_equal(verdict_of("messages", 0), VERDICT_HOLDS);
	store_relaxed(&l.lane[0].ring[0].ref.slice, UINT32_MAX);
	assert_int_equal(verdict_of("messages", 0), VERDICT_FAILS);
	store_relaxed(&l.lane[0].ring[0].ref.slice, 1);
	store_relaxed(&l.lane[0].ring[0].ref.segment, 77);
	assert_int_equal(verdict_of("messages", 0), VERDICT_FAILS);
}

static void more_bytes_than_a_slot_has_fail(void **state)
{
	(void)state;
	lanes_push(&l, 0, 0, SHMIPC_INLINE_MAX + 1, SLOT_INLINE);
	assert_int_equal(verdict_of("messages", 0), VERDICT_FAILS);
	lanes_push(&l, 0, 0, SHMIPC_INLINE_MAX, SLOT_INLINE);
	assert_int_equal(verdict_of("messages", 0), VERDICT_HOLDS);
	lanes_push(&l, 0, 0, 4, 3);
	assert_int_equal(verdict_of("messages", 0), VERDICT_FAILS);
}

static void gaps_overlaps_and_what_sticks_out_fail(void **state)
{
	(void)state;
	lanes_lend(&l, 0, 1024, 0);
	assert_int_equal(verdict_of("space", 0), VERDICT_HOLDS);
	store_relaxed(&l.lane[0].table[1].granules, 15);
	assert_int_equal(verdict_of("space", 0), VERDICT_FAILS);
	store_relaxed(&l.lane[0].table[1].granules, 17);
	assert_int_equal(verdict_of("space", 0), VERDICT_FAILS);
	lanes_lend(&l, 0, 1024, 0);
	store_relaxed(&l.lane[0].table[0].offset, UINT64_MAX - 63);
	assert_int_equal(verdict_of("space", 0), VERDICT_FAILS);
	lanes_lend(&l, 0, 1024, 0);
	store_relaxed(&l.lane[0].table[0].segment, 31);
	assert_int_equal(verdict_of("space", 0), VERDICT_FAILS);
	l.pair.lane[0].segments_known = false;
	assert_int_equal(verdict_of("space", 0), VERDICT_OPEN);
}

static void impossible_slices_fail(void **state)
{
	(void)state;
	store_relaxed(&l.lane[0].table[9].state, 4);
	assert_int_equal(verdict_of("slice-table", 0), VERDICT_FAILS);
	l.lane[0].table[9] = (struct slice_entry){ .state = SLICE_FREE, .segment = 32, .granules = 1 };
	assert_int_equal(verdict_of("slice-table", 0), VERDICT_FAILS);
	l.lane[0].table[9] = (struct slice_entry){ .state = SLICE_FREE, .offset = 32, .granules = 1 };
	assert_int_equal(verdict_of("slice-table", 0), VERDICT_FAILS);
	l.lane[0].table[9] = (struct slice_entry){ .state = SLICE_LENT, .size = 65, .granules = 1 };
	assert_int_equal(verdict_of("slice-table", 0), VERDICT_FAILS);
}

static void give_backs_of_nothing_fail(void **state)
{
	(void)state;
	store_relaxed(&l.lane[1].returns[0], RETURN_ENTRY(0, 5));
	assert_int_equal(verdict_of("returned", 0), VERDICT_FAILS);
	assert_int_equal(verdict_of("return-ring", 1), VERDICT_HOLDS);
	store_relaxed(&l.lane[1].returns[0], RETURN_ENTRY(0, SLICES));
	assert_int_equal(verdict_of("return-ring", 1), VERDICT_FAILS);
	store_relaxed(&l.lane[1].returns[0], RETURN_ENTRY(1, 0));
	assert_int_equal(verdict_of("return-ring", 1), VERDICT_FAILS);
}

static void gauges_that_do_not_agree_fail(void **state)
{
	(void)state;
	lanes_lend(&l, 0, 100, 0);
	assert_int_equal(verdict_of("lent", 0), VERDICT_HOLDS);
	store_relaxed(&l.lane[0].tool->bytes_lent, 99);
	assert_int_equal(verdict_of("lent", 0), VERDICT_FAILS);
	assert_int_equal(verdict_of("memory", 0), VERDICT_HOLDS);
	store_relaxed(&l.lane[0].tool->memory_bytes, 1);
	assert_int_equal(verdict_of("memory", 0), VERDICT_FAILS);
	count(&l.lane[1].tool->messages_received, 1);
	assert_int_equal(verdict_of("counters", 0), VERDICT_FAILS);
}

static void a_sleeper_with_messages_that_nobody_rang_for_is_strange(void **state)
{
	(void)state;
	lanes_push(&l, 0, 0, 4, SLOT_INLINE);
	store_relaxed(&l.lane[1].words->seq, 8 | SEQ_ASLEEP);
	assert_int_equal(verdict_of("wake-up", 0), VERDICT_STRANGE);
	store_relaxed(&l.lane[0].words->rung, 8 | SEQ_ASLEEP);
	assert_int_equal(verdict_of("wake-up", 0), VERDICT_HOLDS);
	store_relaxed(&l.lane[0].words->rung, 8);
	assert_int_equal(verdict_of("rung", 0), VERDICT_FAILS);
}

static void lanes_of_two_channels_do_not_agree(void **state)
{
	(void)state;
	assert_int_equal(verdict_of("lanes-agree", 0), VERDICT_HOLDS);
	l.lane[1].record->channel++;
	assert_int_equal(verdict_of("lanes-agree", 0), VERDICT_FAILS);
	l.lane[1].record->channel--;
	l.lane[1].record->endpoint = 0;
	assert_int_equal(verdict_of("lanes-agree", 0), VERDICT_FAILS);
}

static void what_wants_rest_is_open_without_it(void **state)
{
	struct findings findings;
	int i;

	(void)state;
	store_relaxed(&l.lane[0].tool->bytes_lent, 99);
	store_relaxed(&l.lane[0].ring[3].lap, 5);
	lanes_see(&l);
	invariants_check(&l.pair, false, &findings);
	for (i = 0; i < findings.count; i++) {
		if (!strcmp(findings.list[i].name, "lent"))
			assert_int_equal(findings.list[i].verdict, VERDICT_OPEN);
		if (!strcmp(findings.list[i].name, "laps") && !findings.list[i].endpoint)
			assert_int_equal(findings.list[i].verdict, VERDICT_FAILS);
	}
}

static void a_lane_full_of_noise_neither_crashes_nor_hangs(void **state)
{
	struct lane_facts facts;
	struct findings findings;
	struct leaks leaks;
	char map[MAP_WIDTH + 1];
	uint64_t i, seed;
	int e;

	(void)state;
	srand(7);
	for (seed = 0; seed < 200; seed++) {
		for (e = 0; e < 2; e++) {
			struct lane_record record = *l.lane[e].record;

			for (i = 0; i < l.geometry.head_bytes / 4; i++)
				((uint32_t *)l.head[e])[i] =
					rand() % 3 ? (uint32_t)rand() * 2654435761u : (uint32_t)rand() % 70;
			*l.lane[e].record = record;
		}
		lanes_see(&l);
		assert_null(l.pair.lane[0].fault);
		decode_lane(&l.pair.lane[0], &l.pair.lane[1], (uint32_t)seed, &facts);
		assert_true(facts.queue <= SLOTS && facts.lent <= SLICES && facts.returned <= SLICES);
		decode_map(&l.pair.lane[0], 0, map);
		assert_int_equal(strlen(map), MAP_WIDTH);
		invariants_check(&l.pair, true, &findings);
		assert_true(findings_count(&findings, VERDICT_FAILS) > 0);
		assert_int_equal(leaks_find(&l.pair, 0, 0, &leaks), 0);
		assert_true(leaks.count <= 2 * SLICES);
		leaks_free(&leaks);
	}
}

static void the_map_shows_what_is_where(void **state)
{
	char map[MAP_WIDTH + 1];

	(void)state;
	lanes_lend(&l, 0, SEGMENT / 2, 0);
	decode_map(&l.pair.lane[0], 0, map);
	assert_string_equal(map, "################################................................");
	store_relaxed(&l.lane[0].table[0].state, SLICE_UNUSED);
	decode_map(&l.pair.lane[0], 0, map);
	assert_string_equal(map, "################################????????????????????????????????");
}

static void leaks_are_sorted_as_wished(void **state)
{
	struct leak list[] = { { .age_ms = 1, .size = 30, .stream = 2 },
			       { .age_ms = 3, .size = 10, .stream = 9 },
			       { .age_ms = 2, .size = 20, .stream = 1 } };
	struct leaks leaks = { .list = list, .count = 3 };

	(void)state;
	leaks_sort(&leaks, LEAKS_BY_AGE);
	assert_int_equal(list[0].age_ms, 3);
	leaks_sort(&leaks, LEAKS_BY_SIZE);
	assert_int_equal(list[0].size, 30);
	leaks_sort(&leaks, LEAKS_BY_STREAM);
	assert_int_equal(list[0].stream, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_sound_head_is_decoded),
		TEST(a_head_with_another_magic_version_endpoint_or_size_is_not),
		TEST(a_geometry_that_is_not_its_own_is_refused),
		TEST(the_queue_is_what_is_published_and_not_consumed),
		TEST(what_was_read_and_not_shown_yet_is_not_in_the_queue),
		TEST(the_queue_is_never_longer_than_the_ring),
		TEST(laps_go_round_and_over),
		TEST(a_lap_of_another_slot_or_round_fails),
		TEST(a_lent_slice_has_an_age_and_is_lent_until_it_is_given_back),
		TEST(a_slice_whose_message_is_in_the_queue_is_called_queued),
		TEST(ages_go_over_the_clock_s_end_and_are_never_of_the_future),
		TEST(a_message_that_its_slice_knows_nothing_of_fails),
		TEST(more_bytes_than_a_slot_has_fail),
		TEST(gaps_overlaps_and_what_sticks_out_fail),
		TEST(impossible_slices_fail),
		TEST(give_backs_of_nothing_fail),
		TEST(gauges_that_do_not_agree_fail),
		TEST(a_sleeper_with_messages_that_nobody_rang_for_is_strange),
		TEST(lanes_of_two_channels_do_not_agree),
		TEST(what_wants_rest_is_open_without_it),
		TEST(a_lane_full_of_noise_neither_crashes_nor_hangs),
		TEST(the_map_shows_what_is_where),
		TEST(leaks_are_sorted_as_wished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
