// SPDX-License-Identifier: Apache-2.0
/*
 * arena.c - tests of the allocator of a lane's payload memory, up to a random run against a map of
 * every granule, which knows who has it
 */
#include "shm/arena.h"

#include <stdlib.h>
#include <string.h>

#include "pair.h"

#define COUNT 64u
#define KB 1024ull

static struct slice_entry table[4096];

static struct arena make_arena(uint32_t count)
{
	struct arena a;

	memset(&a, 0xa5, sizeof(a));
	memset(table, 0, sizeof(table));
	assert_code(arena_init(&a, table, count), 0);
	return a;
}

static uint32_t alloc(struct arena *a, uint64_t bytes)
{
	uint32_t n = arena_alloc(a, bytes);

	assert_int_not_equal(n, ARENA_NONE);
	assert_true(arena_is(a, n, SLICE_WRITING));
	return n;
}

static uint32_t count_pieces(const struct arena *a, uint32_t segment)
{
	uint32_t n, count = 0;

	for (n = a->segment[segment].first; n != ARENA_NONE; n = a->pieces[n].after)
		count++;
	return count;
}

static uint32_t count_unused(const struct arena *a)
{
	uint32_t n, count = 0;

	for (n = a->unused; n != ARENA_NONE && count <= a->count; n = a->pieces[n].list_next)
		count++;
	return count;
}

/* Every segment is one row of pieces without gaps, no two free ones side by side, and the table says the same. */
static void check_arena(const struct arena *a)
{
	uint32_t i, n, pieces = 0, used = 0, lent = 0;
	uint64_t bytes = 0, lent_bytes = 0;

	for (i = 0; i < SHMIPC_SEGMENTS; i++) {
		uint32_t before = ARENA_NONE, at = 0, segment_used = 0;

		if (!a->segment[i].bytes)
			continue;
		bytes += a->segment[i].bytes;
		for (n = a->segment[i].first; n != ARENA_NONE; n = a->pieces[n].after) {
			const struct arena_piece *p = &a->pieces[n];

			pieces++;
			assert_true(n < a->count);
			assert_int_equal(p->segment, i);
			assert_int_equal(p->at, at);
			assert_int_equal(p->before, before);
			assert_true(p->length > 0);
			assert_int_not_equal(p->state, SLICE_UNUSED);
			if (before != ARENA_NONE && p->state == SLICE_FREE)
				assert_int_not_equal(a->pieces[before].state, SLICE_FREE);
			segment_used += p->state != SLICE_FREE;
			lent += p->state == SLICE_LENT;
			lent_bytes += p->state == SLICE_LENT ? p->size : 0;
			assert_int_equal(table[n].state, p->state);
			assert_int_equal(table[n].segment, i);
			assert_int_equal(table[n].offset, (uint64_t)at * ARENA_GRANULE);
			assert_int_equal(table[n].granules, p->length);
			at += p->length;
			before = n;
		}
		assert_int_equal((uint64_t)at * ARENA_GRANULE, a->segment[i].bytes);
		assert_int_equal(a->segment[i].used, segment_used);
		used += segment_used;
	}
	assert_int_equal(count_unused(a), a->count - pieces);
	assert_int_equal(a->bytes, bytes);
	assert_int_equal(a->used, used);
	assert_int_equal(a->lent, lent);
	assert_int_equal(a->lent_bytes, lent_bytes);
}

static void an_empty_arena_has_nothing_to_hand_out(struct pair *pair)
{
	struct arena a = make_arena(COUNT);

	(void)pair;
	assert_int_equal(arena_alloc(&a, 1), ARENA_NONE);
	check_arena(&a);
	arena_fini(&a);
}

static void a_slice_is_at_least_as_long_as_asked_and_whole_granules(struct pair *pair)
{
	static const uint64_t sizes[] = { 0, 1, 63, 64, 65, 127, 128, 1000, 4096, 10000 };
	struct arena a = make_arena(COUNT);
	size_t i;

	(void)pair;
	assert_code(arena_add(&a, 0, 64 * KB), 0);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint32_t n = alloc(&a, sizes[i]);

		assert_true(arena_length(&a, n) >= sizes[i]);
		assert_true(arena_length(&a, n) < sizes[i] + ARENA_GRANULE + !sizes[i]);
		assert_int_equal(arena_length(&a, n) % ARENA_GRANULE, 0);
		assert_int_equal(arena_offset(&a, n) % ARENA_GRANULE, 0);
	}
	check_arena(&a);
	arena_fini(&a);
}

static void a_whole_segment_can_be_one_slice(struct pair *pair)
{
	struct arena a = make_arena(COUNT);
	uint32_t n;

	(void)pair;
	assert_code(arena_add(&a, 3, 32 * KB), 0);
	n = alloc(&a, 32 * KB);
	assert_int_equal(arena_length(&a, n), 32 * KB);
	assert_int_equal(arena_alloc(&a, 1), ARENA_NONE);
	arena_free(&a, n);
	check_arena(&a);
	arena_fini(&a);
}

static void what_fit_says_always_fits_an_empty_segment_of_that_size(struct pair *pair)
{
	uint64_t bytes;

	(void)pair;
	for (bytes = 0; bytes < 600 * KB; bytes += bytes < 20 * KB ? 64 : 997) {
		struct arena a = make_arena(COUNT);

		assert_true(arena_fit(bytes) >= bytes);
		assert_code(arena_add(&a, 0, arena_fit(bytes)), 0);
		alloc(&a, bytes);
		arena_fini(&a);
	}
}

static void a_request_beyond_every_segment_is_refused_at_any_size(struct pair *pair)
{
	struct arena a = make_arena(COUNT);
	int shift;

	(void)pair;
	assert_code(arena_add(&a, 0, 32 * KB), 0);
	assert_int_equal(arena_alloc(&a, 32 * KB + 1), ARENA_NONE);
	for (shift = 16; shift < 37; shift++)
		assert_int_equal(arena_alloc(&a, 1ull << shift), ARENA_NONE);
	check_arena(&a);
	arena_fini(&a);
}

static void lending_less_than_was_taken_frees_the_rest(struct pair *pair)
{
	struct arena a = make_arena(COUNT);
	uint32_t n;

	(void)pair;
	assert_code(arena_add(&a, 0, 32 * KB), 0);
	n = alloc(&a, 16 * KB);
	arena_lend(&a, n, 100, 77, 1234);
	assert_int_equal(arena_length(&a, n), 128);
	check_arena(&a);
	assert_int_equal(count_pieces(&a, 0), 2);
	alloc(&a, 28 * KB);
	arena_fini(&a);
}

static void lending_says_size_tag_and_time_in_the_table(struct pair *pair)
{
	struct arena a = make_arena(COUNT);
	uint32_t n;

	(void)pair;
	assert_code(arena_add(&a, 0, 32 * KB), 0);
	n = alloc(&a, 1000);
	assert_int_equal(table[n].state, SLICE_WRITING);
	arena_lend(&a, n, 900, 0xdeadbeef, 4711);
	assert_int_equal(table[n].state, SLICE_LENT);
	assert_int_equal(table[n].size, 900);
	assert_int_equal(table[n].tag, 0xdeadbeef);
	assert_int_equal(table[n].lent_ms, 4711);
	assert_int_equal(a.lent, 1);
	assert_int_equal(a.lent_bytes, 900);
	arena_free(&a, n);
	assert_int_equal(a.lent, 0);
	assert_int_equal(a.lent_bytes, 0);
	check_arena(&a);
	arena_fini(&a);
}

static void freed_neighbours_join_in_every_order(struct pair *pair)
{
	static const int orders[6][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 }
	};
	int i, j;

	(void)pair;
	for (i = 0; i < 6; i++) {
		struct arena a = make_arena(COUNT);
		uint32_t n[3];

		assert_code(arena_add(&a, 0, 4 * KB), 0);
		for (j = 0; j < 3; j++)
			n[j] = alloc(&a, 1024);
		for (j = 0; j < 3; j++) {
			arena_free(&a, n[orders[i][j]]);
			check_arena(&a);
		}
		assert_int_equal(count_pieces(&a, 0), 1);
		alloc(&a, 4 * KB);
		arena_fini(&a);
	}
}

static void a_freed_slice_serves_a_request_of_its_own_size(struct pair *pair)
{
	uint64_t bytes;

	(void)pair;
	for (bytes = 64; bytes < 16 * KB; bytes += 64) {
		struct arena a = make_arena(COUNT);
		uint32_t first, rest = 0;

		assert_code(arena_add(&a, 0, 32 * KB), 0);
		first = alloc(&a, bytes);
		while (rest != ARENA_NONE)
			rest = arena_alloc(&a, bytes);
		arena_free(&a, first);
		assert_int_not_equal(arena_alloc(&a, bytes), ARENA_NONE);
		arena_fini(&a);
	}
}

static void numbers_that_run_out_refuse_slices_without_harm(struct pair *pair)
{
	struct arena a = make_arena(COUNT);
	uint32_t n[COUNT], i, got = 0;

	(void)pair;
	assert_code(arena_add(&a, 0, 64 * KB), 0);
	while (got < COUNT && (n[got] = arena_alloc(&a, 64)) != ARENA_NONE)
		got++;
	/* The last number goes to a slice that takes all that is left. */
	assert_int_equal(got, COUNT);
	assert_int_equal(count_unused(&a), 0);
	check_arena(&a);
	assert_code(arena_add(&a, 1, 4 * KB), -EAGAIN);
	assert_int_equal(a.segment[1].bytes, 0);
	for (i = 0; i < got; i += 2)
		arena_free(&a, n[i]);
	check_arena(&a);
	for (i = 1; i < got; i += 2)
		arena_free(&a, n[i]);
	assert_int_equal(count_pieces(&a, 0), 1);
	check_arena(&a);
	arena_fini(&a);
}

static void lending_without_a_number_left_keeps_the_rest_with_the_slice(struct pair *pair)
{
	struct arena a = make_arena(COUNT);
	uint32_t n, first, i;

	(void)pair;
	assert_code(arena_add(&a, 0, 64 * KB), 0);
	first = alloc(&a, 4096);
	for (i = 1; i < COUNT; i++)
		alloc(&a, 64);
	n = first;
	arena_lend(&a, n, 64, 0, 0);
	assert_int_equal(arena_length(&a, n), 4096);
	check_arena(&a);
	arena_free(&a, n);
	check_arena(&a);
	arena_fini(&a);
}

static void a_closed_segment_hands_out_nothing_and_takes_back_all(struct pair *pair)
{
	struct arena a = make_arena(COUNT);
	uint32_t n, m;

	(void)pair;
	assert_code(arena_add(&a, 1, 8 * KB), 0);
	n = alloc(&a, 1024);
	m = alloc(&a, 1024);
	arena_close(&a, 1);
	assert_int_equal(arena_alloc(&a, 64), ARENA_NONE);
	arena_free(&a, n);
	assert_int_equal(arena_alloc(&a, 64), ARENA_NONE);
	arena_free(&a, m);
	assert_int_equal(count_pieces(&a, 1), 1);
	check_arena(&a);
	arena_remove(&a, 1);
	assert_int_equal(a.bytes, 0);
	assert_int_equal(count_unused(&a), COUNT);
	check_arena(&a);
	arena_fini(&a);
}

static void a_reopened_segment_hands_out_what_was_freed_meanwhile(struct pair *pair)
{
	struct arena a = make_arena(COUNT);
	uint32_t n;

	(void)pair;
	assert_code(arena_add(&a, 1, 8 * KB), 0);
	n = alloc(&a, 4096);
	arena_close(&a, 1);
	arena_free(&a, n);
	arena_reopen(&a, 1);
	check_arena(&a);
	n = alloc(&a, 8 * KB);
	arena_free(&a, n);
	arena_fini(&a);
}

static void a_removed_number_can_be_added_again_with_another_size(struct pair *pair)
{
	struct arena a = make_arena(COUNT);
	int i;

	(void)pair;
	for (i = 1; i < 200; i++) {
		assert_code(arena_add(&a, 31, (uint64_t)i * 4 * KB), 0);
		arena_free(&a, alloc(&a, 64));
		arena_close(&a, 31);
		arena_remove(&a, 31);
	}
	assert_int_equal(count_unused(&a), COUNT);
	check_arena(&a);
	arena_fini(&a);
}

static void is_answers_for_numbers_from_anywhere(struct pair *pair)
{
	struct arena a = make_arena(COUNT);
	uint32_t n;

	(void)pair;
	assert_code(arena_add(&a, 0, 4 * KB), 0);
	n = alloc(&a, 64);
	assert_true(arena_is(&a, n, SLICE_WRITING));
	assert_false(arena_is(&a, n, SLICE_LENT));
	assert_false(arena_is(&a, COUNT, SLICE_WRITING));
	assert_false(arena_is(&a, UINT32_MAX, SLICE_LENT));
	assert_false(arena_is(&a, COUNT - 1, SLICE_LENT));
	arena_fini(&a);
}

/* The oracle: who has which granule of which segment. */
#define MAP_GRANULES 2048u
#define MAP_SEGMENTS 6u
struct oracle {
	uint32_t owner[MAP_SEGMENTS][MAP_GRANULES]; /* 1 + slice number, or 0 */
	uint32_t live[512], live_count;
	bool lent[512];
};

static void oracle_set(struct oracle *o, const struct arena *a, uint32_t n, uint64_t from, uint64_t to, uint32_t is,
		       uint32_t becomes)
{
	uint64_t i;

	for (i = from; i < to; i++) {
		assert_int_equal(o->owner[a->pieces[n].segment][i], is);
		o->owner[a->pieces[n].segment][i] = becomes;
	}
}

static void step_alloc(struct oracle *o, struct arena *a)
{
	uint64_t bytes = rand() % 4 ? (uint64_t)(rand() % 2000) : (uint64_t)(rand() % 40000), at;
	uint32_t n;

	if (o->live_count == 512)
		return;
	n = arena_alloc(a, bytes);
	if (n == ARENA_NONE)
		return;
	assert_true(arena_length(a, n) >= bytes);
	at = arena_offset(a, n) / ARENA_GRANULE;
	oracle_set(o, a, n, at, at + arena_length(a, n) / ARENA_GRANULE, 0, n + 1);
	o->lent[o->live_count] = false;
	o->live[o->live_count++] = n;
}

static void step_lend_or_free(struct oracle *o, struct arena *a)
{
	uint32_t i, n;
	uint64_t at, old, new;

	if (!o->live_count)
		return;
	i = (uint32_t)rand() % o->live_count;
	n = o->live[i];
	at = arena_offset(a, n) / ARENA_GRANULE;
	old = arena_length(a, n) / ARENA_GRANULE;
	if (!o->lent[i] && rand() % 3) {
		arena_lend(a, n, (uint32_t)((uint64_t)rand() % (old * ARENA_GRANULE + 1)), 1, 2);
		new = arena_length(a, n) / ARENA_GRANULE;
		assert_true(new <= old);
		oracle_set(o, a, n, at + new, at + old, n + 1, 0);
		o->lent[i] = true;
		return;
	}
	oracle_set(o, a, n, at, at + old, n + 1, 0);
	arena_free(a, n);
	o->live[i] = o->live[--o->live_count];
	o->lent[i] = o->lent[o->live_count];
}

static void step_segment(struct arena *a)
{
	uint32_t i = (uint32_t)rand() % MAP_SEGMENTS;
	struct arena_segment *s = &a->segment[i];

	if (!s->bytes) {
		int r = arena_add(a, i, (1 + (uint64_t)rand() % 31) * 4 * KB);

		assert_true(r == 0 || (r == -EAGAIN && a->unused == ARENA_NONE));
	} else if (s->closed && s->used) {
		if (rand() % 2)
			arena_reopen(a, i);
	} else if (s->closed) {
		arena_remove(a, i);
	} else {
		arena_close(a, i);
	}
}

static void any_run_agrees_with_a_map_of_every_granule(struct pair *pair)
{
	struct oracle *o = calloc(1, sizeof(*o));
	unsigned int seed;
	int step;
	uint32_t i;

	(void)pair;
	assert_non_null(o);
	for (seed = 1; seed <= 12; seed++) {
		struct arena a = make_arena(seed % 3 ? 256 : 64);

		srand(seed);
		memset(o, 0, sizeof(*o));
		for (step = 0; step < 6000; step++) {
			int what = rand() % 100;

			if (what < 3)
				step_segment(&a);
			else if (what < 52)
				step_alloc(o, &a);
			else
				step_lend_or_free(o, &a);
			if (step % 16 == 0)
				check_arena(&a);
		}
		while (o->live_count) {
			arena_free(&a, o->live[--o->live_count]);
			if (o->live_count % 8 == 0)
				check_arena(&a);
		}
		for (i = 0; i < SHMIPC_SEGMENTS; i++)
			if (a.segment[i].bytes)
				assert_int_equal(count_pieces(&a, i), 1);
		check_arena(&a);
		arena_fini(&a);
	}
	free(o);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(an_empty_arena_has_nothing_to_hand_out),
		ALONE(a_slice_is_at_least_as_long_as_asked_and_whole_granules),
		ALONE(a_whole_segment_can_be_one_slice),
		ALONE(what_fit_says_always_fits_an_empty_segment_of_that_size),
		ALONE(a_request_beyond_every_segment_is_refused_at_any_size),
		ALONE(lending_less_than_was_taken_frees_the_rest),
		ALONE(lending_says_size_tag_and_time_in_the_table),
		ALONE(freed_neighbours_join_in_every_order),
		ALONE(a_freed_slice_serves_a_request_of_its_own_size),
		ALONE(numbers_that_run_out_refuse_slices_without_harm),
		ALONE(lending_without_a_number_left_keeps_the_rest_with_the_slice),
		ALONE(a_closed_segment_hands_out_nothing_and_takes_back_all),
		ALONE(a_reopened_segment_hands_out_what_was_freed_meanwhile),
		ALONE(a_removed_number_can_be_added_again_with_another_size),
		ALONE(is_answers_for_numbers_from_anywhere),
		ALONE(any_run_agrees_with_a_map_of_every_granule),
	};

	return RUN_TESTS(tests, argc, argv);
}
