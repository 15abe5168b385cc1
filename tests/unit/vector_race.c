// SPDX-License-Identifier: Apache-2.0
/*
 * vector_race.c - tests of producers and a consumer that run at the same time: every message whole, in order, once; and
 * where the oldest are dropped, never one that is being read
 */
#include <stdlib.h>
#include <string.h>

#include "post.h"
#include "worker.h"

#define LONGEST 3000

struct writer {
	struct worker worker;
	struct shmipc_producer *producer;
	uint32_t id, count;
	uint32_t pause; /* after so many messages */
};

/* A length that both sides know. */
static uint32_t length_of(uint32_t id, uint32_t number)
{
	uint32_t x = (number * 2654435761u) ^ (id * 40503u);

	return 8 + (x >> 7) % (x % 16 ? 200 : LONGEST);
}

static int call_write(struct worker *worker)
{
	struct writer *writer = worker->argument;
	uint32_t word[(LONGEST + 16) / 4], size, i;
	int r = 0;

	for (i = 0; i < writer->count && r >= 0; i++) {
		size = length_of(writer->id, i);
		pattern_fill(word, size, i);
		word[0] = writer->id;
		word[1] = i;
		r = shmipc_producer_push(writer->producer, word, size, FAR);
		if (writer->pause && i % writer->pause == 0)
			sleep_ms(1);
	}
	return r < 0 ? r : shmipc_producer_flush(writer->producer, FAR);
}

/* Whether a message is the one of that number, by a private copy, so that it cannot change on the way. */
static bool is_right(const struct shmipc_vector_message *m, uint32_t *id, uint32_t *number)
{
	uint32_t word[(LONGEST + 16) / 4], expected[(LONGEST + 16) / 4];

	if (m->size < 8 || m->size > LONGEST + 8)
		return false;
	memcpy(word, m->data, m->size);
	*id = word[0];
	*number = word[1];
	if (m->size != length_of(*id, *number))
		return false;
	pattern_fill(expected, m->size, *number);
	expected[0] = *id;
	expected[1] = *number;
	return !memcmp(word, expected, m->size);
}

static bool are_over(struct writer *writer, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (!writer[i].worker.over)
			return false;
	return true;
}

#define WRITERS 3
#define KEEP 64

static void read_all(struct post *post, struct writer *writer, bool hold, uint64_t *dropped)
{
	struct shmipc_vector_message m[KEEP];
	uint32_t next[WRITERS] = { 0 }, id, number, n, i;

	while (!are_over(writer, WRITERS)) {
		if (shmipc_vector_receive(post->vector, soon(20)))
			continue;
		for (n = 0; n < KEEP && shmipc_vector_next(post->vector, &m[n]) == 1; n++) {
			assert_true(is_right(&m[n], &id, &number));
			assert_true(id < WRITERS);
			next[id] += (uint32_t)m[n].dropped;
			*dropped += m[n].dropped;
			assert_int_equal(number, next[id]++);
		}
		/* What was shown stays as it is, however long it takes. */
		if (hold && rand() % 4 == 0)
			sleep_ms(1);
		for (i = 0; i < n; i++)
			assert_true(is_right(&m[i], &id, &number));
		assert_code(shmipc_vector_release(post->vector), 0);
	}
	for (i = 0; i < WRITERS; i++) {
		assert_code(worker_join(&writer[i].worker), 0);
		assert_int_equal(next[i], writer[i].count);
	}
}

static void run_race(struct pair *pair, enum shmipc_full full, enum shmipc_sync sync, uint32_t count, uint64_t *dropped)
{
	struct writer writer[WRITERS];
	struct post post;
	uint32_t i;

	post_init(&post, pair);
	post.vector_options.sync = sync;
	post.vector_options.timed_ns = 100000;
	post.producer_options.memory_max = 1 << 18;
	post.producer_options.full = full;
	post_open(&post);
	for (i = 0; i < WRITERS; i++) {
		writer[i] = (struct writer){ .id = i, .count = count, .pause = i == 2 ? 97 : 0 };
		writer[i].producer = post_producer(&post);
	}
	for (i = 0; i < WRITERS; i++) {
		writer[i].worker = (struct worker){ .call = call_write, .argument = &writer[i] };
		worker_start(&writer[i].worker);
	}
	read_all(&post, writer, full == SHMIPC_FULL_DROP_OLDEST, dropped);
	for (i = 0; i < WRITERS; i++)
		shmipc_producer_close(writer[i].producer);
	post_close(&post);
}

static void nothing_is_lost_or_changed_while_all_run(struct pair *pair)
{
	uint64_t dropped = 0;
	enum shmipc_sync sync;

	for (sync = SHMIPC_SYNC_ADAPTIVE; sync <= SHMIPC_SYNC_TIMED; sync++)
		run_race(pair, SHMIPC_FULL_BLOCK, sync, 8000, &dropped);
	assert_int_equal(dropped, 0);
}

static void what_is_read_is_not_dropped_while_all_run(struct pair *pair)
{
	uint64_t dropped = 0;

	run_race(pair, SHMIPC_FULL_DROP_OLDEST, SHMIPC_SYNC_DEMAND, 40000, &dropped);
	assert_true(dropped > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(nothing_is_lost_or_changed_while_all_run),
		ON_BOTH(what_is_read_is_not_dropped_while_all_run),
	};

	return RUN_TESTS(tests, argc, argv);
}
