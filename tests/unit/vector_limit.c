// SPDX-License-Identifier: Apache-2.0
/*
 * vector_limit.c - tests of memory: it grows, it has a limit, it shrinks; what happens at the limit, and that
 * what is dropped is counted
 */
#include <stdlib.h>
#include <string.h>

#include "post.h"
#include "worker.h"

#define SIZE 1000
#define LIMIT (1 << 20)
/* More than fits. */
#define MANY (3 * LIMIT / SIZE)

static void init_limited(struct post *post, const struct pair *pair, enum shmipc_full full)
{
	post_init(post, pair);
	post->producer_options.memory_max = LIMIT;
	post->producer_options.full = full;
}

static struct shmipc_producer *start_limited(struct post *post, const struct pair *pair, enum shmipc_full full)
{
	init_limited(post, pair, full);
	post_open(post);
	return post_producer(post);
}

/* Push until it does not go any more. Returns how many went; the result that ended it in *r. */
static uint32_t push_until_full(struct shmipc_producer *p, uint32_t first, int *r)
{
	unsigned char data[SIZE];
	uint32_t i;

	for (i = first; i < first + MANY; i++) {
		pattern_fill(data, SIZE, i);
		*r = shmipc_producer_push(p, data, SIZE, 0);
		if (*r)
			break;
	}
	return i - first;
}

static void memory_grows_on_demand_up_to_the_limit(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	uint64_t begun;
	uint32_t n;
	int r;

	p = start_limited(&post, pair, SHMIPC_FULL_BLOCK);
	begun = producer_stats_of(p).memory_bytes;
	assert_true(begun <= LIMIT / 8);
	n = push_until_full(p, 0, &r);
	assert_code(r, -EAGAIN);
	/* Nearly all of it can be used. */
	assert_true(n > LIMIT / SIZE * 3 / 4 && n <= LIMIT / SIZE);
	assert_true(producer_stats_of(p).memory_bytes <= LIMIT);
	post_take(&post, SIZE, 0, n);
	shmipc_producer_close(p);
	post_close(&post);
}

static void at_the_limit_a_blocking_push_waits_until_its_deadline(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	int64_t before;
	uint32_t n;
	int r;

	p = start_limited(&post, pair, SHMIPC_FULL_BLOCK);
	n = push_until_full(p, 0, &r);
	before = now_ns();
	assert_code(shmipc_producer_push(p, &post, SIZE, soon(30)), -ETIMEDOUT);
	assert_true(now_ns() - before >= 30000000);
	post_take(&post, SIZE, 0, n);
	post_push(p, SIZE, n);
	post_take(&post, SIZE, n, 1);
	assert_int_equal(producer_stats_of(p).dropped_newest + producer_stats_of(p).dropped_oldest, 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static int call_push(struct worker *worker)
{
	unsigned char data[SIZE];

	pattern_fill(data, SIZE, 77);
	return shmipc_producer_push(worker->argument, data, SIZE, FAR);
}

static void release_wakes_a_push_that_waits_for_room(struct pair *pair)
{
	struct shmipc_producer *p;
	struct worker worker;
	struct post post;
	uint32_t n;
	int r;

	p = start_limited(&post, pair, SHMIPC_FULL_BLOCK);
	n = push_until_full(p, 0, &r);
	worker = (struct worker){ .call = call_push, .argument = p };
	worker_start(&worker);
	worker_await_sleep(&worker);
	post_take(&post, SIZE, 0, n);
	assert_code(worker_join(&worker), 0);
	post_take(&post, SIZE, 77, 1);
	shmipc_producer_close(p);
	post_close(&post);
}

static void the_newest_are_dropped_and_the_next_message_says_how_many(struct pair *pair)
{
	struct shmipc_vector_message m;
	struct shmipc_producer *p;
	uint32_t n, dropped = 25, i;
	unsigned char data[SIZE] = { 0 };
	struct post post;
	int r;

	p = start_limited(&post, pair, SHMIPC_FULL_DROP_NEWEST);
	n = push_until_full(p, 0, &r);
	assert_code(r, 1);
	for (i = 1; i < dropped; i++)
		assert_code(shmipc_producer_push(p, data, SIZE, FAR), 1);
	assert_int_equal(producer_stats_of(p).dropped_newest, dropped);
	/* The consumer's counters know at once. */
	assert_int_equal(vector_stats_of(post.vector).dropped, dropped);
	post_take(&post, SIZE, 0, n);
	post_push(p, SIZE, 1000);
	post_push(p, SIZE, 1001);
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	assert_code(shmipc_vector_next(post.vector, &m), 1);
	assert_true(pattern_is(m.data, SIZE, 1000));
	assert_int_equal(m.dropped, dropped);
	assert_code(shmipc_vector_next(post.vector, &m), 1);
	assert_int_equal(m.dropped, 0);
	assert_int_equal(m.sender->dropped, dropped);
	assert_code(shmipc_vector_release(post.vector), 0);
	assert_int_equal(vector_stats_of(post.vector).dropped, dropped);
	shmipc_producer_close(p);
	post_close(&post);
}

/* Push MANY and read the rest of them: an ordered selection, whose gaps are what was reported. */
static uint64_t read_survivors(struct post *post, uint32_t *next)
{
	struct shmipc_vector_message m;
	uint64_t dropped = 0;

	while (shmipc_vector_receive(post->vector, 0) == 0) {
		while (shmipc_vector_next(post->vector, &m) == 1) {
			dropped += m.dropped;
			*next += (uint32_t)m.dropped;
			assert_true(pattern_is(m.data, SIZE, (*next)++));
		}
		assert_code(shmipc_vector_release(post->vector), 0);
	}
	return dropped;
}

static void the_oldest_are_dropped_and_the_newest_stay(struct pair *pair)
{
	struct shmipc_producer *p;
	uint64_t dropped;
	uint32_t next = 0, i;
	struct post post;

	p = start_limited(&post, pair, SHMIPC_FULL_DROP_OLDEST);
	for (i = 0; i < MANY; i++)
		post_push(p, SIZE, i);
	dropped = read_survivors(&post, &next);
	assert_int_equal(next, MANY);
	assert_true(dropped > MANY / 2);
	assert_int_equal(producer_stats_of(p).dropped_oldest, dropped);
	assert_int_equal(producer_stats_of(p).dropped_newest, 0);
	assert_int_equal(vector_stats_of(post.vector).dropped, dropped);
	shmipc_producer_close(p);
	post_close(&post);
}

static void what_is_being_read_is_not_dropped(struct pair *pair)
{
	struct shmipc_vector_message m[40];
	struct shmipc_producer *p;
	uint32_t next, i, k;
	struct post post;

	p = start_limited(&post, pair, SHMIPC_FULL_DROP_OLDEST);
	for (i = 0; i < 40; i++)
		post_push(p, SIZE, i);
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	for (k = 0; k < 40; k++)
		assert_code(shmipc_vector_next(post.vector, &m[k]), 1);
	for (; i < 3 * MANY; i++)
		post_push(p, SIZE, i);
	for (k = 0; k < 40; k++)
		assert_true(pattern_is(m[k].data, SIZE, k));
	assert_true(producer_stats_of(p).dropped_oldest > MANY);
	assert_int_equal(producer_stats_of(p).dropped_newest, 0);
	assert_code(shmipc_vector_release(post.vector), 0);
	next = 40;
	assert_true(read_survivors(&post, &next) > MANY);
	assert_int_equal(next, 3 * MANY);
	shmipc_producer_close(p);
	post_close(&post);
}

static void drops_are_counted_whatever_the_consumer_does_in_between(struct pair *pair)
{
	uint32_t next = 0, i, shown = 0;
	struct shmipc_vector_message m;
	struct shmipc_producer *p;
	uint64_t dropped = 0;
	struct post post;

	p = start_limited(&post, pair, SHMIPC_FULL_DROP_OLDEST);
	for (i = 0; i < 8 * MANY; i++) {
		post_push(p, SIZE, i);
		if (i % 37 || shmipc_vector_receive(post.vector, 0))
			continue;
		/* A part of a batch, some of the time. */
		for (shown = 0; shown < i % 53 && shmipc_vector_next(post.vector, &m) == 1; shown++) {
			dropped += m.dropped;
			next += (uint32_t)m.dropped;
			assert_true(pattern_is(m.data, SIZE, next++));
		}
		assert_code(shmipc_vector_release(post.vector), 0);
	}
	dropped += read_survivors(&post, &next);
	assert_int_equal(next, 8 * MANY);
	assert_true(dropped > 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void a_message_is_at_most_a_quarter_of_the_memory(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;

	p = start_limited(&post, pair, SHMIPC_FULL_BLOCK);
	assert_code(shmipc_producer_push(p, &post, LIMIT / 4 + 1, FAR), -EMSGSIZE);
	post_push(p, LIMIT / 4, 1);
	post_take(&post, LIMIT / 4, 1, 1);
	/* And such a one finds room where there were many short ones. */
	assert_true(push_until_full(p, 0, &(int){ 0 }) > 0);
	assert_true(post_drain(&post, SIZE).messages > 0);
	post_push(p, SIZE, 2);
	post_take(&post, SIZE, 2, 1);
	shmipc_producer_close(p);
	post_close(&post);
}

static int call_push_long(struct worker *worker)
{
	unsigned char *data = malloc(LIMIT / 4);
	int r;

	pattern_fill(data, LIMIT / 4, 5);
	r = shmipc_producer_push(worker->argument, data, LIMIT / 4, FAR);
	free(data);
	return r;
}

static void short_messages_make_room_for_the_longest(struct pair *pair)
{
	struct shmipc_vector_message m;
	struct shmipc_producer *p;
	struct worker worker;
	struct post post;
	bool found = false;
	int r;

	p = start_limited(&post, pair, SHMIPC_FULL_BLOCK);
	push_until_full(p, 0, &r);
	worker = (struct worker){ .call = call_push_long, .argument = p };
	worker_start(&worker);
	while (!found) {
		assert_code(shmipc_vector_receive(post.vector, FAR), 0);
		while (shmipc_vector_next(post.vector, &m) == 1)
			found = m.size == LIMIT / 4 && pattern_is(m.data, m.size, 5);
		assert_code(shmipc_vector_release(post.vector), 0);
	}
	assert_code(worker_join(&worker), 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void idle_memory_is_given_back(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	int64_t until;
	uint32_t n;
	int r;

	p = start_limited(&post, pair, SHMIPC_FULL_BLOCK);
	n = push_until_full(p, 0, &r);
	assert_true(producer_stats_of(p).memory_bytes > LIMIT / 2);
	post_take(&post, SIZE, 0, n);
	for (until = FAR; producer_stats_of(p).memory_bytes > LIMIT / 4;) {
		assert_code(shmipc_producer_shrink(p), 0);
		assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
		assert_true(now_ns() < until);
	}
	post_push(p, SIZE, 1);
	post_take(&post, SIZE, 1, 1);
	shmipc_producer_close(p);
	post_close(&post);
}

static void a_producer_that_goes_on_pushing_gives_idle_memory_back_by_itself(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	int64_t until;
	uint32_t n, i;
	int r;

	init_limited(&post, pair, SHMIPC_FULL_BLOCK);
	post.producer_options.shrink_after_ms = 5;
	post_open(&post);
	p = post_producer(&post);
	n = push_until_full(p, 0, &r);
	post_take(&post, SIZE, 0, n);
	for (until = FAR, i = 0; producer_stats_of(p).memory_bytes > LIMIT / 4; i++) {
		post_push(p, SIZE, i);
		post_take(&post, SIZE, i, 1);
		assert_true(now_ns() < until);
	}
	shmipc_producer_close(p);
	post_close(&post);
}

static void the_consumer_grants_no_more_than_it_has(struct pair *pair)
{
	struct shmipc_producer *p[3];
	struct post post;
	uint32_t n;
	int r;

	init_limited(&post, pair, SHMIPC_FULL_BLOCK);
	post.vector_options.producer_memory = LIMIT / 2;
	post.vector_options.memory_max = LIMIT / 2 + SHMIPC_PRODUCER_MEMORY_MIN;
	post_open(&post);
	p[0] = post_producer(&post);
	assert_int_equal(vector_stats_of(post.vector).memory_granted, LIMIT / 2);
	n = push_until_full(p[0], 0, &r);
	assert_true(n <= LIMIT / 2 / SIZE);
	assert_true(producer_stats_of(p[0]).memory_bytes <= LIMIT / 2);
	p[1] = NULL;
	post_take(&post, SIZE, 0, n);
	p[1] = post_producer(&post);
	assert_int_equal(vector_stats_of(post.vector).memory_granted, LIMIT / 2 + SHMIPC_PRODUCER_MEMORY_MIN);
	/* There is not enough for a third one. */
	assert_code(shmipc_producer_open(post.path, &post.producer_options, &p[2]), 0);
	await((shmipc_vector_receive(post.vector, soon(1)), shmipc_producer_attach(p[2], 0)) == -EAGAIN &&
	      producer_stats_of(p[2]).attach_error == -EDQUOT);
	assert_true(vector_stats_of(post.vector).turned_away > 0);
	/* When the first one goes, there is. */
	shmipc_producer_close(p[0]);
	post_attach(&post, p[2]);
	shmipc_producer_close(p[1]);
	shmipc_producer_close(p[2]);
	post_close(&post);
}

static void there_are_no_more_producers_than_the_consumer_wants(struct pair *pair)
{
	struct shmipc_producer *p[3];
	struct post post;

	post_init(&post, pair);
	post.vector_options.producers_max = 2;
	post_open(&post);
	p[0] = post_producer(&post);
	p[1] = post_producer(&post);
	assert_code(shmipc_producer_open(post.path, &post.producer_options, &p[2]), 0);
	await((shmipc_vector_receive(post.vector, soon(1)), shmipc_producer_attach(p[2], 0)) == -EAGAIN &&
	      producer_stats_of(p[2]).attach_error == -EUSERS);
	shmipc_producer_close(p[0]);
	post_attach(&post, p[2]);
	post_push(p[1], 10, 1);
	post_take(&post, 10, 1, 1);
	post_push(p[2], 10, 2);
	post_take(&post, 10, 2, 1);
	shmipc_producer_close(p[1]);
	shmipc_producer_close(p[2]);
	post_close(&post);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(memory_grows_on_demand_up_to_the_limit),
		ON_BOTH(at_the_limit_a_blocking_push_waits_until_its_deadline),
		ON_BOTH(release_wakes_a_push_that_waits_for_room),
		ON_BOTH(the_newest_are_dropped_and_the_next_message_says_how_many),
		ON_BOTH(the_oldest_are_dropped_and_the_newest_stay),
		ON_BOTH(what_is_being_read_is_not_dropped),
		ON_BOTH(drops_are_counted_whatever_the_consumer_does_in_between),
		ON_BOTH(a_message_is_at_most_a_quarter_of_the_memory),
		ON_BOTH(short_messages_make_room_for_the_longest),
		ON_BOTH(idle_memory_is_given_back),
		ON_BOTH(a_producer_that_goes_on_pushing_gives_idle_memory_back_by_itself),
		ON_BOTH(the_consumer_grants_no_more_than_it_has),
		ON_BOTH(there_are_no_more_producers_than_the_consumer_wants),
	};

	return RUN_TESTS(tests, argc, argv);
}
