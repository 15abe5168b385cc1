// SPDX-License-Identifier: Apache-2.0
/*
 * vector_pace.c - tests of a crowd: with many producers the consumer has no time for each at once, and a lane
 * that has its share waits for it before it grows
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "post.h"
#include "vector/producer.h"
#include "worker.h"

#define SIZE 1000
#define MANY (PACE_BYTES_EACH * 8 / SIZE)
/* So many that each one's share is the least. */
#define CROWD (PACE_BYTES / PACE_BYTES_EACH + 1)

struct crowd {
	struct post post;
	struct shmipc_producer *producer[CROWD];
};

/* looks_ns: of a consumer in timed sync; 0: one in demand. */
static void crowd_open(struct crowd *crowd, const struct pair *pair, uint64_t looks_ns)
{
	int i;

	post_init(&crowd->post, pair);
	crowd->post.vector_options.sync = looks_ns ? SHMIPC_SYNC_TIMED : SHMIPC_SYNC_DEMAND;
	if (looks_ns)
		crowd->post.vector_options.timed_ns = looks_ns;
	post_open(&crowd->post);
	for (i = 0; i < (int)CROWD; i++)
		crowd->producer[i] = post_producer(&crowd->post);
}

static void crowd_close(struct crowd *crowd)
{
	int i;

	for (i = 0; i < (int)CROWD; i++)
		shmipc_producer_close(crowd->producer[i]);
	post_close(&crowd->post);
}

static int call_push_many(struct worker *worker)
{
	unsigned char data[SIZE];
	uint32_t i;
	int r = 0;

	for (i = 0; i < MANY && !r; i++) {
		pattern_fill(data, SIZE, i);
		r = shmipc_producer_push(worker->argument, data, SIZE, FAR);
	}
	return r;
}

/* Take all that another thread pushes, with a pause after each batch. */
static void take_slowly(struct crowd *crowd)
{
	const struct timespec pause = { .tv_nsec = 300000 };
	struct shmipc_vector_message m;
	uint32_t seen = 0;

	while (seen < MANY) {
		assert_code(shmipc_vector_receive(crowd->post.vector, FAR), 0);
		for (; shmipc_vector_next(crowd->post.vector, &m) == 1; seen++)
			assert_true(m.size == SIZE && pattern_is(m.data, SIZE, seen));
		assert_code(shmipc_vector_release(crowd->post.vector), 0);
		nanosleep(&pause, NULL);
	}
}

/* A host that stops the consumer for as long as a producer waits at most makes a lane grow: then once again. */
static void check_that_a_lane_waits(struct pair *pair, uint64_t looks_ns)
{
	int64_t until = FAR;
	struct crowd crowd;
	struct worker worker;
	uint64_t begun, now;

	do {
		assert_true(now_ns() < until);
		crowd_open(&crowd, pair, looks_ns);
		begun = producer_stats_of(crowd.producer[0]).memory_bytes;
		assert_true(begun <= PACE_BYTES_EACH);
		worker = (struct worker){ .call = call_push_many, .argument = crowd.producer[0] };
		worker_start(&worker);
		take_slowly(&crowd);
		assert_code(worker_join(&worker), 0);
		now = producer_stats_of(crowd.producer[0]).memory_bytes;
		crowd_close(&crowd);
	} while (now != begun);
}

static void in_a_crowd_a_lane_waits_for_the_consumer_rather_than_grow(struct pair *pair)
{
	check_that_a_lane_waits(pair, 0);
}

static void in_a_crowd_a_lane_waits_for_a_consumer_that_looks_often(struct pair *pair)
{
	check_that_a_lane_waits(pair, 100000);
}

static void in_a_crowd_a_lane_grows_when_the_consumer_does_not_come(struct pair *pair)
{
	struct shmipc_producer *p;
	struct crowd crowd;
	uint32_t i;

	crowd_open(&crowd, pair, 0);
	p = crowd.producer[1];
	for (i = 0; i < MANY; i++)
		post_push(p, SIZE, i);
	assert_true(producer_stats_of(p).memory_bytes >= (uint64_t)MANY * SIZE);
	assert_true(load_relaxed(&p->out.ch->bell.waits) > 0);
	post_take(&crowd.post, SIZE, 0, MANY);
	crowd_close(&crowd);
}

static void push_without_sleep(struct shmipc_producer *p, int64_t deadline)
{
	unsigned char data[SIZE];
	uint32_t i;

	for (i = 0; i < MANY; i++) {
		pattern_fill(data, SIZE, i);
		assert_code(shmipc_producer_push(p, data, SIZE, deadline), 0);
	}
	assert_int_equal(load_relaxed(&p->out.ch->bell.waits), 0);
}

static void a_push_that_may_not_wait_does_not_sleep_in_a_crowd(struct pair *pair)
{
	struct crowd crowd;

	crowd_open(&crowd, pair, 0);
	push_without_sleep(crowd.producer[0], 0);
	post_take(&crowd.post, SIZE, 0, MANY);
	crowd_close(&crowd);
}

static void a_producer_that_drops_does_not_sleep_in_a_crowd(struct pair *pair)
{
	struct shmipc_producer *p;
	struct crowd crowd;

	crowd_open(&crowd, pair, 0);
	shmipc_producer_close(crowd.producer[0]);
	crowd.post.producer_options.full = SHMIPC_FULL_DROP_NEWEST;
	p = crowd.producer[0] = post_producer(&crowd.post);
	push_without_sleep(p, FAR);
	post_take(&crowd.post, SIZE, 0, MANY);
	crowd_close(&crowd);
}

static void a_consumer_that_looks_seldom_is_not_waited_for(struct pair *pair)
{
	struct crowd crowd;

	crowd_open(&crowd, pair, 2000000);
	push_without_sleep(crowd.producer[0], FAR);
	post_take(&crowd.post, SIZE, 0, MANY);
	crowd_close(&crowd);
}

static void those_that_stay_have_larger_shares_when_others_leave(struct pair *pair)
{
	struct crowd crowd;
	int i;

	crowd_open(&crowd, pair, 0);
	for (i = 1; i < (int)CROWD; i++) {
		shmipc_producer_close(crowd.producer[i]);
		crowd.producer[i] = NULL;
	}
	await((shmipc_vector_receive(crowd.post.vector, soon(1)), vector_stats_of(crowd.post.vector).producers) == 1);
	push_without_sleep(crowd.producer[0], FAR);
	post_take(&crowd.post, SIZE, 0, MANY);
	crowd_close(&crowd);
}

/* Bytes of the mappings whose names have this in them. */
static uint64_t mapped_bytes(const char *part)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t from, to, sum = 0;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "memfd:shmipc-") && strstr(line, part) && sscanf(line, "%lx-%lx", &from, &to) == 2)
			sum += to - from;
	fclose(maps);
	return sum;
}

/* A lane's first segment is called CHANNEL-ENDPOINT-0. */
static void the_consumers_side_of_a_lane_has_next_to_no_message_memory(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;

	post_init(&post, pair);
	post_open(&post);
	p = post_producer(&post);
	assert_true(mapped_bytes("-0-0 ") >= PACE_BYTES_EACH);
	assert_true(mapped_bytes("-1-0 ") > 0 && mapped_bytes("-1-0 ") <= CHUNK_BYTES_MIN);
	shmipc_producer_close(p);
	post_close(&post);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(in_a_crowd_a_lane_waits_for_the_consumer_rather_than_grow),
		ON_BOTH(in_a_crowd_a_lane_waits_for_a_consumer_that_looks_often),
		ON_BOTH(in_a_crowd_a_lane_grows_when_the_consumer_does_not_come),
		ON_BOTH(a_push_that_may_not_wait_does_not_sleep_in_a_crowd),
		ON_BOTH(a_producer_that_drops_does_not_sleep_in_a_crowd),
		ON_BOTH(a_consumer_that_looks_seldom_is_not_waited_for),
		ON_BOTH(those_that_stay_have_larger_shares_when_others_leave),
		ON_MEMFD(the_consumers_side_of_a_lane_has_next_to_no_message_memory),
	};

	return RUN_TESTS(tests, argc, argv);
}
