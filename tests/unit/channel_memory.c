// SPDX-License-Identifier: Apache-2.0
/*
 * channel_memory.c - tests of a lane's growth and shrinking, on both sides of it
 */
#include "channel/endpoint.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "worker.h"

#define KB 1024u
#define MB (1024u * KB)

static void open_small(struct pair *pair, uint64_t segment_bytes, uint64_t memory_max, uint32_t shrink_after_ms)
{
	struct shmipc_channel_options options = pair_options(pair);

	options.segment_bytes = segment_bytes;
	options.memory_max = memory_max;
	options.shrink_after_ms = shrink_after_ms;
	pair_open(pair, &options, &options);
}

static uint64_t memory_of(struct shmipc_channel *channel)
{
	return stats_of(channel).memory_bytes;
}

static void a_lane_starts_with_one_segment_of_the_size_asked_for(struct pair *pair)
{
	uint64_t pages;

	for (pages = 1; pages < 40; pages++) {
		open_small(pair, pages * 4096, pages * 4096, 0);
		assert_int_equal(memory_of(pair->a), pair->a->geometry.head_bytes + pages * 4096);
		assert_code(pattern_push(pair->a, 4096, 1, 0), 0);
		pattern_take(pair->b, 4096, 1);
		shmipc_channel_destroy(pair->a);
		shmipc_channel_destroy(pair->b);
	}
	pair->a = pair->b = NULL;
}

static void a_lane_grows_on_demand_and_stops_at_its_limit(struct pair *pair)
{
	uint32_t sent = 0, i;
	uint64_t initial;
	int r;

	open_small(pair, 32 * KB, 1 * MB, 0);
	initial = memory_of(pair->a);
	while (!(r = pattern_push(pair->a, 12 * KB, sent, 0)))
		assert_true(++sent < 200);
	assert_code(r, -EAGAIN);
	assert_true(sent * 12 * KB > 3 * MB / 4);
	assert_true(memory_of(pair->a) <= initial - 32 * KB + 1 * MB);
	assert_true(stats_of(pair->a).growths > 0);
	assert_int_equal(stats_of(pair->a).slices_lent, sent);
	assert_int_equal(stats_of(pair->a).bytes_lent, sent * 12 * KB);
	assert_int_equal(memory_of(pair->b), initial); /* the other lane is another lane */
	for (i = 0; i < sent; i++)
		pattern_take(pair->b, 12 * KB, i);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_WRITABLE, FAR), SHMIPC_WRITABLE);
	assert_code(pattern_push(pair->a, 12 * KB, 1, 0), 0);
	pattern_take(pair->b, 12 * KB, 1);
}

static void grow_has_memory_at_hand_before_it_is_needed(struct pair *pair)
{
	struct shmipc_channel_stats before, after;

	open_small(pair, 32 * KB, 4 * MB, 0);
	assert_code(shmipc_channel_grow(pair->a, 100), 0);
	assert_int_equal(stats_of(pair->a).growths, 0);
	assert_code(shmipc_channel_grow(pair->a, 1 * MB), 0);
	before = stats_of(pair->a);
	assert_int_equal(before.growths, 1);
	assert_int_equal(before.slices_lent, 0);
	assert_code(shmipc_channel_grow(pair->a, 1 * MB), 0);
	assert_code(pattern_push(pair->a, 1 * MB, 1, 0), 0);
	after = stats_of(pair->a);
	assert_int_equal(after.growths, 1);
	assert_int_equal(after.memory_bytes, before.memory_bytes);
	pattern_take(pair->b, 1 * MB, 1);
}

static void grow_beyond_the_limit_is_emsgsize(struct pair *pair)
{
	open_small(pair, 32 * KB, 1 * MB, 0);
	assert_code(shmipc_channel_grow(pair->a, 1 * MB + 1), -EMSGSIZE);
	assert_code(shmipc_channel_grow(pair->a, SIZE_MAX), -EMSGSIZE);
	assert_int_equal(stats_of(pair->a).growths, 0);
	assert_code(shmipc_channel_grow(pair->a, 900 * KB), 0);
}

static void what_fits_the_first_segment_alone_is_eagain_not_emsgsize(struct pair *pair)
{
	struct shmipc_message message;

	open_small(pair, 64 * KB, 64 * KB, 0);
	assert_code(pattern_push(pair->a, 32 * KB, 1, 0), 0);
	assert_code(pattern_push(pair->a, 30 * KB, 2, 0), 0);
	assert_code(pattern_push(pair->a, 32 * KB, 3, 0), -EAGAIN);
	assert_code(shmipc_channel_peek(pair->b, &message), 0);
	assert_code(shmipc_channel_release(pair->b, &message), 0);
	assert_code(pattern_push(pair->a, 32 * KB, 3, 0), 0);
	shmipc_channel_destroy(pair->a);
	shmipc_channel_destroy(pair->b);
	open_small(pair, 32 * KB, 48 * KB, 0);
	assert_code(pattern_push(pair->a, 20 * KB, 1, 0), 0);
	assert_code(pattern_push(pair->a, 20 * KB, 2, 0), -EAGAIN);
}

static void shrink_gives_idle_segments_back_on_both_sides(struct pair *pair)
{
	struct shmipc_message message;
	uint64_t initial;
	int mappings, i;

	open_small(pair, 32 * KB, 16 * MB, 0);
	initial = memory_of(pair->a);
	mappings = count_lane_mappings();
	for (i = 0; i < 40; i++) {
		assert_code(pattern_push(pair->a, 2 * MB, 1, 0), 0);
		pattern_take(pair->b, 2 * MB, 1);
		assert_int_equal(count_lane_mappings(), mappings + 2);
		assert_code(shmipc_channel_shrink(pair->a), 1);
		assert_code(shmipc_channel_shrink(pair->a), 0);		      /* it is on its way */
		assert_code(shmipc_channel_peek(pair->b, &message), -EAGAIN); /* unmaps */
		assert_code(shmipc_channel_shrink(pair->a), 0);
		assert_int_equal(memory_of(pair->a), initial);
		assert_int_equal(count_lane_mappings(), mappings);
		assert_int_equal(stats_of(pair->a).retires, i + 1);
	}
	assert_int_equal(stats_of(pair->a).growths, 40);
}

static void shrink_leaves_alone_what_is_lent_or_being_written(struct pair *pair)
{
	struct shmipc_message message;
	struct shmipc_buffer buffer;

	open_small(pair, 32 * KB, 16 * MB, 0);
	assert_code(shmipc_channel_shrink(pair->a), 0);
	assert_code(shmipc_channel_reserve(pair->a, 1 * MB, 0, &buffer), 0);
	assert_code(shmipc_channel_shrink(pair->a), 0);
	pattern_fill(buffer.data, 1 * MB, 5);
	buffer.tag = 5;
	buffer.kind = 15;
	assert_code(shmipc_channel_submit(pair->a, &buffer, 1 * MB, 0), 0);
	assert_code(shmipc_channel_shrink(pair->a), 0);
	assert_code(shmipc_channel_peek(pair->b, &message), 0);
	assert_code(shmipc_channel_keep(pair->b, &message), 0);
	assert_code(shmipc_channel_shrink(pair->a), 0);
	assert_true(pattern_is(message.data, 1 * MB, 5));
	assert_code(shmipc_channel_release(pair->b, &message), 0);
	assert_code(shmipc_channel_shrink(pair->a), 1);
}

static void a_segment_that_was_never_read_is_given_back_too(struct pair *pair)
{
	struct shmipc_message message;
	uint64_t initial;
	int fds, i;

	open_small(pair, 32 * KB, 16 * MB, 0);
	assert_code(pattern_push(pair->a, 1000, 1, 0), 0); /* the first segment is mapped */
	pattern_take(pair->b, 1000, 1);
	initial = memory_of(pair->a);
	fds = count_fds();
	for (i = 0; i < 100; i++) {
		assert_code(shmipc_channel_grow(pair->a, 1 * MB), 0);
		assert_code(shmipc_channel_shrink(pair->a), 1);
		assert_code(shmipc_channel_peek(pair->b, &message), -EAGAIN);
		assert_code(shmipc_channel_shrink(pair->a), 0);
		/* The reader answers once more, when the owner has seen that: then the number is free. */
		assert_code(shmipc_channel_peek(pair->b, &message), -EAGAIN);
	}
	assert_int_equal(memory_of(pair->a), initial);
	assert_int_equal(count_fds(), fds);
}

static void a_sleeping_reader_unmaps_what_is_retired(struct pair *pair)
{
	struct worker reader;
	uint64_t initial;
	int mappings;

	open_small(pair, 32 * KB, 16 * MB, 0);
	initial = memory_of(pair->a);
	mappings = count_lane_mappings();
	assert_code(pattern_push(pair->a, 1 * MB, 1, 0), 0);
	pattern_take(pair->b, 1 * MB, 1);
	worker_wait(&reader, pair->b, SHMIPC_READABLE, FAR);
	worker_await_sleep(&reader);
	assert_code(shmipc_channel_shrink(pair->a), 1);
	await(memory_of(pair->a) == initial);
	await(count_lane_mappings() == mappings);
	assert_false(reader.over);
	assert_code(pattern_push(pair->a, 1 * MB, 2, 0), 0);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
	pattern_take(pair->b, 1 * MB, 2);
}

/* The sleeper's bell, and in what state the arena's lock was when it was rung. */
static struct {
	struct shmipc_channel *ringer;
	const struct doorbell_ops *real;
	int rings, under_lock;
} watched;

static int ring_watched(struct doorbell *bell, uint32_t peer_seq)
{
	watched.rings++;
	if (lock_try(&watched.ringer->out.lock))
		lock_release(&watched.ringer->out.lock);
	else
		watched.under_lock++;
	return watched.real->ring(bell, peer_seq);
}

static void a_sleeping_reader_is_woken_for_retired_memory_when_the_lock_is_free(struct pair *pair)
{
	struct doorbell_ops ops;
	struct worker reader;
	uint64_t initial;

	open_small(pair, 32 * KB, 16 * MB, 0);
	watched.ringer = pair->a;
	watched.real = pair->a->bell.ops;
	watched.rings = watched.under_lock = 0;
	ops = *watched.real;
	ops.ring = ring_watched;
	pair->a->bell.ops = &ops;
	initial = memory_of(pair->a);
	assert_code(pattern_push(pair->a, 1 * MB, 1, 0), 0);
	pattern_take(pair->b, 1 * MB, 1);
	worker_wait(&reader, pair->b, SHMIPC_READABLE, FAR);
	worker_await_sleep(&reader);
	assert_code(shmipc_channel_shrink(pair->a), 1);
	await(memory_of(pair->a) == initial);
	assert_code(shmipc_channel_kick(pair->b), 0);
	assert_code(worker_join(&reader), 0);
	assert_true(watched.rings > 0);
	assert_int_equal(watched.under_lock, 0);
	pair->a->bell.ops = watched.real;
}

static void idle_memory_is_given_back_by_itself(struct pair *pair, enum shmipc_sync sync)
{
	struct shmipc_channel_options options = pair_options(pair);
	struct worker owner, reader;
	uint64_t initial;
	int mappings;

	options.segment_bytes = 32 * KB;
	options.shrink_after_ms = 20;
	options.sync = sync;
	pair_open(pair, &options, &options);
	initial = memory_of(pair->a);
	mappings = count_lane_mappings();
	assert_code(pattern_push(pair->a, 3 * MB, 1, 0), 0);
	pattern_take(pair->b, 3 * MB, 1);
	assert_true(memory_of(pair->a) > initial);
	worker_wait(&owner, pair->a, SHMIPC_READABLE, FAR);
	worker_wait(&reader, pair->b, SHMIPC_READABLE, FAR);
	await(memory_of(pair->a) == initial);
	await(count_lane_mappings() == mappings);
	assert_false(owner.over);
	assert_false(reader.over);
	assert_code(shmipc_channel_kick(pair->a), 0);
	assert_code(shmipc_channel_kick(pair->b), 0);
	assert_code(worker_join(&owner), 0);
	assert_code(worker_join(&reader), 0);
	assert_int_equal(stats_of(pair->a).retires, stats_of(pair->a).growths);
}

static void idle_memory_is_given_back_on_demand(struct pair *pair)
{
	idle_memory_is_given_back_by_itself(pair, SHMIPC_SYNC_DEMAND);
}

static void idle_memory_is_given_back_adaptively(struct pair *pair)
{
	idle_memory_is_given_back_by_itself(pair, SHMIPC_SYNC_ADAPTIVE);
}

static void idle_memory_is_given_back_polling(struct pair *pair)
{
	idle_memory_is_given_back_by_itself(pair, SHMIPC_SYNC_POLLING);
}

static void idle_memory_is_given_back_timed(struct pair *pair)
{
	idle_memory_is_given_back_by_itself(pair, SHMIPC_SYNC_TIMED);
}

static void memory_in_use_is_not_idle(struct pair *pair)
{
	int64_t began = now_ns(), last = began, now;
	struct worker owner;
	uint32_t i, gaps = 0;

	open_small(pair, 32 * KB, 16 * MB, 150);
	assert_code(pattern_push(pair->a, 256 * KB, 0, 0), 0);
	pattern_take(pair->b, 256 * KB, 0);
	worker_wait(&owner, pair->a, SHMIPC_READABLE, FAR);
	for (i = 1; now_ns() - began < 700000000; i++) {
		assert_code(pattern_push(pair->a, 256 * KB, i, 0), 0);
		sleep_ms(3);
		pattern_take(pair->b, 256 * KB, i);
		now = now_ns();
		gaps += now - last > 75000000; /* the machine was busy with other things */
		last = now;
	}
	assert_true(stats_of(pair->a).growths <= 1 + 2 * gaps);
	assert_code(shmipc_channel_kick(pair->a), 0);
	assert_code(worker_join(&owner), 0);
}

static void idle_segments_in_the_way_of_a_large_message_make_room(struct pair *pair)
{
	struct shmipc_message message;
	struct worker reader;
	uint32_t i;
	int r;

	open_small(pair, 32 * KB, 2 * MB, 0);
	for (i = 0; i < 6; i++)
		assert_code(pattern_push(pair->a, 200 * KB, i, 0), 0);
	for (i = 0; i < 6; i++)
		pattern_take(pair->b, 200 * KB, i);
	worker_wait(&reader, pair->b, SHMIPC_READABLE, FAR);
	while ((r = pattern_push(pair->a, 1800 * KB, 9, 0)) == -EAGAIN)
		assert_code(shmipc_channel_wait(pair->a, SHMIPC_WRITABLE, FAR), SHMIPC_WRITABLE);
	assert_code(r, 0);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
	pattern_take(pair->b, 1800 * KB, 9);
	assert_code(shmipc_channel_peek(pair->b, &message), -EAGAIN);
}

static void segment_numbers_that_run_out_make_room_too(struct pair *pair)
{
	struct worker reader;
	uint32_t sent = 0, i;
	int r;

	/* Every message takes a segment: growth beyond half of the limit is by little. */
	open_small(pair, 1 * MB, 1200 * KB, 0);
	while (!(r = pattern_push(pair->a, 4000, sent, 0)))
		if (++sent == 240) { /* the ring's end: drain and go on */
			for (i = 0; i < sent; i++)
				pattern_take(pair->b, 4000, i);
			sent = 0;
			break;
		}
	for (i = 0; i < sent; i++)
		pattern_take(pair->b, 4000, i);
	worker_wait(&reader, pair->b, SHMIPC_READABLE, FAR);
	while ((r = pattern_push(pair->a, 150 * KB, 9, 0)) == -EAGAIN)
		assert_code(shmipc_channel_wait(pair->a, SHMIPC_WRITABLE, FAR), SHMIPC_WRITABLE);
	assert_code(r, 0);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
	pattern_take(pair->b, 150 * KB, 9);
}

static void a_slice_table_that_is_full_is_eagain_until_one_comes_back(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);
	struct shmipc_message kept[80];
	uint32_t n = 0, i;
	int r;

	options.slices = 64;
	pair_open(pair, &options, NULL);
	while (!(r = pattern_push(pair->a, 200, n, 0))) {
		assert_true(n < 80);
		assert_code(shmipc_channel_peek(pair->b, &kept[n]), 0);
		assert_code(shmipc_channel_keep(pair->b, &kept[n]), 0);
		n++;
	}
	assert_code(r, -EAGAIN);
	assert_true(n >= 60);
	for (i = 0; i < n; i++) {
		assert_true(pattern_is(kept[i].data, 200, i));
		assert_code(shmipc_channel_release(pair->b, &kept[i]), 0);
	}
	assert_code(pattern_push(pair->a, 200, 1, 0), 0);
	assert_int_equal(stats_of(pair->a).slices_lent, 1);
}

static void a_want_of_address_space_passes_and_the_message_is_there_still(struct pair *pair)
{
	struct shmipc_message message;
	struct rlimit old, none;
	int r;

	if (TESTS_TSAN)
		skip_because("ThreadSanitizer needs address space at any time");
	open_small(pair, 32 * KB, 16 * MB, 0);
	assert_code(pattern_push(pair->a, 8 * MB, 3, 0), 0);
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	none = old;
	none.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	r = shmipc_channel_peek(pair->b, &message);
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	assert_code(r, -ENOMEM);
	pattern_take(pair->b, 8 * MB, 3);
}

static void a_lane_that_cannot_grow_for_want_of_memory_says_so(struct pair *pair)
{
	struct shmipc_channel_stats before, after;
	struct rlimit old, none;
	int r, lent;

	if (TESTS_TSAN)
		skip_because("ThreadSanitizer needs address space at any time");
	open_small(pair, 32 * KB, 16 * MB, 0);
	before = stats_of(pair->a);
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	none = old;
	none.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	r = shmipc_channel_grow(pair->a, 8 * MB);
	lent = shmipc_channel_push(pair->a, "0123456789", 10, 0, 0, 0);
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	assert_code(r, -ENOMEM);
	assert_code(lent, 0); /* what needs no growth goes on */
	after = stats_of(pair->a);
	assert_int_equal(after.memory_bytes, before.memory_bytes);
	assert_int_equal(after.growths, 0);
	assert_code(shmipc_channel_grow(pair->a, 8 * MB), 0);
}

static _Atomic bool disturbed;
static pthread_t growing;

static void note_signal(int signal)
{
	(void)signal;
	disturbed = true;
}

static int call_disturb(struct worker *worker)
{
	const _Atomic bool *grown = worker->argument;

	while (!*grown) {
		pthread_kill(growing, SIGUSR1);
		sleep_ms(4);
	}
	return 0;
}

/* The kernel ends an allocation in the middle when a signal comes: a profiler's, or one that ends a stop. */
static void a_lane_grows_whatever_signals_come(struct pair *pair)
{
	struct sigaction act = { .sa_handler = note_signal, .sa_flags = SA_RESTART }, old;
	struct worker worker;
	_Atomic bool grown;
	int64_t until = FAR;
	int times = 0;

	growing = pthread_self();
	assert_int_equal(sigaction(SIGUSR1, &act, &old), 0);
	while (times < 4) {
		assert_true(now_ns() < until);
		open_small(pair, 32 * KB, 32 * MB, 0);
		grown = false;
		worker = (struct worker){ .call = call_disturb, .argument = &grown };
		worker_start(&worker);
		disturbed = false;
		assert_code(shmipc_channel_grow(pair->a, 16 * MB), 0);
		times += disturbed;
		grown = true;
		assert_code(worker_join(&worker), 0);
		shmipc_channel_destroy(pair->a);
		shmipc_channel_destroy(pair->b);
	}
	pair->a = pair->b = NULL;
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_lane_starts_with_one_segment_of_the_size_asked_for),
		ON_BOTH(a_lane_grows_on_demand_and_stops_at_its_limit),
		ON_BOTH(grow_has_memory_at_hand_before_it_is_needed),
		ON_BOTH(a_lane_grows_whatever_signals_come),
		ON_BOTH(grow_beyond_the_limit_is_emsgsize),
		ON_BOTH(what_fits_the_first_segment_alone_is_eagain_not_emsgsize),
		ON_BOTH(shrink_gives_idle_segments_back_on_both_sides),
		ON_BOTH(shrink_leaves_alone_what_is_lent_or_being_written),
		ON_BOTH(a_segment_that_was_never_read_is_given_back_too),
		ON_BOTH(a_sleeping_reader_unmaps_what_is_retired),
		ON_BOTH(a_sleeping_reader_is_woken_for_retired_memory_when_the_lock_is_free),
		ON_BOTH(idle_memory_is_given_back_on_demand),
		ON_BOTH(idle_memory_is_given_back_adaptively),
		ON_BOTH(idle_memory_is_given_back_polling),
		ON_BOTH(idle_memory_is_given_back_timed),
		ON_BOTH(memory_in_use_is_not_idle),
		ON_BOTH(idle_segments_in_the_way_of_a_large_message_make_room),
		ON_BOTH(segment_numbers_that_run_out_make_room_too),
		ON_BOTH(a_slice_table_that_is_full_is_eagain_until_one_comes_back),
		ON_BOTH(a_want_of_address_space_passes_and_the_message_is_there_still),
		ON_BOTH(a_lane_that_cannot_grow_for_want_of_memory_says_so),
	};

	return RUN_TESTS(tests, argc, argv);
}
