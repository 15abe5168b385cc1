// SPDX-License-Identifier: Apache-2.0
/*
 * post.c - the common part of the vector's tests
 */
#include "post.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void post_init(struct post *post, const struct pair *pair)
{
	const struct shmipc_vector_options vector_options = SHMIPC_VECTOR_OPTIONS_INIT;
	const struct shmipc_producer_options producer_options = SHMIPC_PRODUCER_OPTIONS_INIT;
	static unsigned int number;

	*post = (struct post){ .vector_options = vector_options, .producer_options = producer_options };
	snprintf(post->path, sizeof(post->path), "/tmp/shmipc-post.%d.%u", (int)getpid(), ++number);
	post->vector_options.sync = SHMIPC_SYNC_DEMAND;
	post->producer_options.backend = pair->backend;
	post->producer_options.retry_ms = 1;
}

void post_open(struct post *post)
{
	assert_code(shmipc_vector_open(post->path, &post->vector_options, &post->vector), 0);
}

void post_attach(struct post *post, struct shmipc_producer *producer)
{
	int64_t until = FAR;
	int r;

	while ((r = shmipc_producer_attach(producer, 0)) == -EAGAIN) {
		assert_code(shmipc_vector_receive(post->vector, soon(1)), -ETIMEDOUT);
		assert_true(now_ns() < until);
	}
	assert_code(r, 0);
}

struct shmipc_producer *post_producer(struct post *post)
{
	struct shmipc_producer *producer;

	assert_code(shmipc_producer_open(post->path, &post->producer_options, &producer), 0);
	if (post->vector)
		post_attach(post, producer);
	return producer;
}

struct shmipc_producer *post_start(struct post *post, const struct pair *pair)
{
	post_init(post, pair);
	post_open(post);
	return post_producer(post);
}

void post_close(struct post *post)
{
	shmipc_vector_close(post->vector);
	post->vector = NULL;
}

void post_push(struct shmipc_producer *producer, size_t size, uint32_t number)
{
	unsigned char *data = malloc(size + 1);

	assert_non_null(data);
	pattern_fill(data, size, number);
	assert_code(shmipc_producer_push(producer, data, size, FAR), 0);
	free(data);
}

void post_expect(struct post *post, size_t size, uint32_t number)
{
	struct shmipc_vector_message message;

	memset(&message, 0x5a, sizeof(message));
	assert_code(shmipc_vector_next(post->vector, &message), 1);
	assert_int_equal(message.size, size);
	assert_true(pattern_is(message.data, size, number));
}

void post_take(struct post *post, size_t size, uint32_t first, uint32_t count)
{
	struct shmipc_vector_message message;
	uint32_t taken = 0;

	while (taken < count) {
		assert_code(shmipc_vector_receive(post->vector, FAR), 0);
		for (; taken < count && shmipc_vector_next(post->vector, &message) == 1; taken++) {
			assert_int_equal(message.size, size);
			assert_true(pattern_is(message.data, size, first + taken));
		}
		assert_code(shmipc_vector_release(post->vector), 0);
	}
}

struct post_count post_drain(struct post *post, size_t size)
{
	struct shmipc_vector_message message;
	struct post_count count = { 0 };

	while (shmipc_vector_receive(post->vector, 0) == 0) {
		while (shmipc_vector_next(post->vector, &message) == 1) {
			assert_int_equal(message.size, size);
			count.messages++;
			count.dropped += message.dropped;
			count.repeated += message.flags & SHMIPC_REPEATED;
			memcpy(&count.last, message.data, size < sizeof(count.last) ? size : sizeof(count.last));
		}
		assert_code(shmipc_vector_release(post->vector), 0);
	}
	return count;
}

struct shmipc_producer_stats producer_stats_of(struct shmipc_producer *producer)
{
	struct shmipc_producer_stats stats;

	memset(&stats, 0x5a, sizeof(stats));
	stats.size = sizeof(stats);
	assert_code(shmipc_producer_stats(producer, &stats), 0);
	return stats;
}

struct shmipc_vector_stats vector_stats_of(struct shmipc_vector *vector)
{
	struct shmipc_vector_stats stats;

	memset(&stats, 0x5a, sizeof(stats));
	stats.size = sizeof(stats);
	assert_code(shmipc_vector_stats(vector, &stats), 0);
	return stats;
}
