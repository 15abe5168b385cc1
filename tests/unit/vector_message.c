// SPDX-License-Identifier: Apache-2.0
/*
 * vector_message.c - tests of messages: they come whole, in order, once, with who sent them
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "post.h"

static const size_t sizes[] = { 0, 1, 7, 8, 9, 155, 4095, 4096, 65000, 65536, 70000, 1000000 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void messages_of_any_length_arrive_whole_and_in_order(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	uint32_t i;

	p = post_start(&post, pair);
	for (i = 0; i < 3 * SIZES; i++)
		post_push(p, sizes[i % SIZES], i);
	for (i = 0; i < 3 * SIZES;) {
		struct shmipc_vector_message m;

		assert_code(shmipc_vector_receive(post.vector, FAR), 0);
		while (shmipc_vector_next(post.vector, &m) == 1) {
			assert_int_equal(m.size, sizes[i % SIZES]);
			assert_true(pattern_is(m.data, m.size, i));
			assert_int_equal((uintptr_t)m.data % 8, 0);
			i++;
		}
		assert_code(shmipc_vector_release(post.vector), 0);
	}
	assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
	shmipc_producer_close(p);
	post_close(&post);
}

static void a_batch_is_all_that_is_queued_and_lies_in_the_producers_memory(struct pair *pair)
{
	struct shmipc_vector_message m;
	struct shmipc_producer *p;
	const char *first = NULL;
	struct post post;
	uint32_t i;

	p = post_start(&post, pair);
	for (i = 0; i < 100; i++)
		post_push(p, 100, i);
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	for (i = 0; i < 100; i++) {
		assert_code(shmipc_vector_next(post.vector, &m), 1);
		first = first ? first : m.data;
		/* Each behind the one before: nobody copied them together. */
		assert_ptr_equal(m.data, first + i * (8 + 104));
	}
	assert_code(shmipc_vector_next(post.vector, &m), 0);
	assert_code(shmipc_vector_next(post.vector, &m), 0);
	assert_code(shmipc_vector_release(post.vector), 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void what_next_did_not_show_comes_with_the_next_batch(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	uint32_t i;

	p = post_start(&post, pair);
	for (i = 0; i < 10; i++)
		post_push(p, 20, i);
	for (i = 0; i < 10; i++) {
		assert_code(shmipc_vector_receive(post.vector, FAR), 0);
		post_expect(&post, 20, i);
		assert_code(shmipc_vector_release(post.vector), 0);
	}
	assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
	shmipc_producer_close(p);
	post_close(&post);
}

static void one_batch_is_open_at_a_time(struct pair *pair)
{
	struct shmipc_vector_message m;
	struct shmipc_producer *p;
	struct post post;

	p = post_start(&post, pair);
	assert_code(shmipc_vector_next(post.vector, &m), -EINVAL);
	assert_code(shmipc_vector_release(post.vector), -EINVAL);
	post_push(p, 1, 0);
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	assert_code(shmipc_vector_receive(post.vector, FAR), -EBUSY);
	assert_code(shmipc_vector_arm(post.vector), -EBUSY);
	assert_code(shmipc_vector_release(post.vector), 0);
	assert_code(shmipc_vector_release(post.vector), -EINVAL);
	shmipc_producer_close(p);
	post_close(&post);
}

static void pieces_arrive_as_one_message(struct pair *pair)
{
	char a[] = "many ", b[] = "pieces", c[] = "";
	const struct iovec pieces[] = { { a, 5 }, { c, 0 }, { b, 6 } };
	struct shmipc_vector_message m;
	struct shmipc_producer *p;
	struct post post;

	p = post_start(&post, pair);
	assert_code(shmipc_producer_pushv(p, pieces, 3, FAR), 0);
	assert_code(shmipc_producer_pushv(p, pieces, 0, FAR), 0);
	assert_code(shmipc_producer_pushv(p, pieces, -1, FAR), -EINVAL);
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	assert_code(shmipc_vector_next(post.vector, &m), 1);
	assert_int_equal(m.size, 11);
	assert_memory_equal(m.data, "many pieces", 11);
	assert_code(shmipc_vector_next(post.vector, &m), 1);
	assert_int_equal(m.size, 0);
	assert_code(shmipc_vector_release(post.vector), 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void a_reservation_is_seen_when_it_is_committed_and_not_when_cancelled(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	void *data;

	p = post_start(&post, pair);
	assert_code(shmipc_producer_commit(p, 0), -EINVAL);
	assert_code(shmipc_producer_cancel(p), -EINVAL);
	assert_code(shmipc_producer_reserve(p, 100, &data, FAR), 0);
	assert_int_equal((uintptr_t)data % 8, 0);
	memset(data, 0xff, 100);
	assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
	assert_code(shmipc_producer_push(p, "x", 1, FAR), -EBUSY);
	assert_code(shmipc_producer_reserve(p, 1, &data, FAR), -EBUSY);
	assert_null(data);
	assert_code(shmipc_producer_flush(p, FAR), -EBUSY);
	assert_code(shmipc_producer_cancel(p), 0);
	assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
	assert_code(shmipc_producer_reserve(p, 100, &data, FAR), 0);
	pattern_fill(data, 60, 7);
	assert_code(shmipc_producer_commit(p, 101), -EINVAL);
	assert_code(shmipc_producer_commit(p, 60), 0);
	post_push(p, 30, 8);
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	post_expect(&post, 60, 7);
	post_expect(&post, 30, 8);
	assert_code(shmipc_vector_release(post.vector), 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void a_message_says_who_sent_it(struct pair *pair)
{
	struct shmipc_vector_message m[2];
	struct shmipc_producer *p[2];
	struct post post;

	post_init(&post, pair);
	post_open(&post);
	p[0] = post_producer(&post);
	p[1] = post_producer(&post);
	post_push(p[0], 1, 1);
	post_push(p[1], 1, 2);
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	assert_code(shmipc_vector_next(post.vector, &m[0]), 1);
	assert_code(shmipc_vector_next(post.vector, &m[1]), 1);
	assert_int_equal(m[0].sender->peer.pid, getpid());
	assert_int_equal(m[0].sender->peer.uid, geteuid());
	assert_int_equal(m[0].sender->id + m[1].sender->id, 3);
	assert_ptr_not_equal(m[0].sender, m[1].sender);
	assert_int_equal(m[0].sender->messages, 1);
	assert_null(m[0].sender->context);
	assert_code(shmipc_vector_release(post.vector), 0);
	shmipc_producer_close(p[0]);
	shmipc_producer_close(p[1]);
	post_close(&post);
}

static void each_of_many_producers_has_a_share_in_every_batch(struct pair *pair)
{
	enum { PRODUCERS = 5, EACH = 4000, SIZE = 200 };
	uint32_t next[PRODUCERS + 1] = { 0 }, seen, i, k;
	struct shmipc_producer *p[PRODUCERS];
	struct shmipc_vector_message m;
	struct post post;
	bool there[PRODUCERS + 1];

	post_init(&post, pair);
	post_open(&post);
	for (i = 0; i < PRODUCERS; i++)
		p[i] = post_producer(&post);
	for (k = 0; k < EACH; k++)
		for (i = 0; i < PRODUCERS; i++)
			post_push(p[i], SIZE, k);
	/* All have more than a batch takes: each is in the first. */
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	memset(there, 0, sizeof(there));
	for (seen = 0; shmipc_vector_next(post.vector, &m) == 1; seen++) {
		assert_true(pattern_is(m.data, SIZE, next[m.sender->id]++));
		there[m.sender->id] = true;
	}
	for (i = 1; i <= PRODUCERS; i++)
		assert_true(there[i] && next[i] < EACH);
	assert_code(shmipc_vector_release(post.vector), 0);
	while (seen < PRODUCERS * EACH) {
		assert_code(shmipc_vector_receive(post.vector, FAR), 0);
		for (; shmipc_vector_next(post.vector, &m) == 1; seen++)
			assert_true(pattern_is(m.data, SIZE, next[m.sender->id]++));
		assert_code(shmipc_vector_release(post.vector), 0);
	}
	for (i = 0; i < PRODUCERS; i++)
		shmipc_producer_close(p[i]);
	post_close(&post);
}

static void a_merged_batch_goes_by_time_of_push(struct pair *pair)
{
	enum { PRODUCERS = 4, MESSAGES = 500 };
	struct shmipc_producer *p[PRODUCERS];
	struct shmipc_vector_message m;
	struct post post;
	int64_t last = 0;
	uint32_t i;

	post_init(&post, pair);
	post.vector_options.merge = 1;
	post_open(&post);
	for (i = 0; i < PRODUCERS; i++)
		p[i] = post_producer(&post);
	for (i = 0; i < MESSAGES; i++)
		post_push(p[i * 7 % 11 % PRODUCERS], 50, i);
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	for (i = 0; i < MESSAGES; i++) {
		assert_code(shmipc_vector_next(post.vector, &m), 1);
		assert_true(pattern_is(m.data, 50, i));
		assert_true(m.time_ns >= last);
		last = m.time_ns;
	}
	assert_code(shmipc_vector_next(post.vector, &m), 0);
	assert_code(shmipc_vector_release(post.vector), 0);
	for (i = 0; i < PRODUCERS; i++)
		shmipc_producer_close(p[i]);
	post_close(&post);
}

static void a_producer_that_stamps_tells_the_time(struct pair *pair)
{
	int64_t before = now_ns();
	struct shmipc_vector_message m;
	struct shmipc_producer *p;
	struct post post;

	post_init(&post, pair);
	post.producer_options.stamp = 1;
	post_open(&post);
	p = post_producer(&post);
	post_push(p, 33, 1);
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	assert_code(shmipc_vector_next(post.vector, &m), 1);
	assert_true(pattern_is(m.data, 33, 1));
	assert_true(m.time_ns >= before && m.time_ns <= now_ns());
	assert_code(shmipc_vector_release(post.vector), 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void counters_tell_what_went_through(struct pair *pair)
{
	struct shmipc_producer_stats ps;
	struct shmipc_vector_stats vs;
	struct shmipc_producer *p;
	struct post post;

	p = post_start(&post, pair);
	post_push(p, 10, 0);
	post_push(p, 20, 1);
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	post_expect(&post, 10, 0);
	post_expect(&post, 20, 1);
	assert_code(shmipc_vector_release(post.vector), 0);
	ps = producer_stats_of(p);
	assert_int_equal(ps.messages, 2);
	assert_int_equal(ps.bytes, 30);
	assert_int_equal(ps.attached, 1);
	assert_int_equal(ps.attaches, 1);
	assert_int_equal(ps.backend, pair->backend);
	assert_true(ps.memory_bytes > 0 && !ps.backlog_bytes && !ps.dropped_newest && !ps.dropped_oldest);
	vs = vector_stats_of(post.vector);
	assert_int_equal(vs.messages, 2);
	assert_int_equal(vs.bytes, 30);
	assert_int_equal(vs.producers, 1);
	assert_int_equal(vs.came, 1);
	assert_int_equal(vs.memory_granted, post.producer_options.memory_max);
	shmipc_producer_close(p);
	await(shmipc_vector_receive(post.vector, 0) == -EAGAIN && vector_stats_of(post.vector).left == 1);
	vs = vector_stats_of(post.vector);
	assert_int_equal(vs.producers + vs.memory_granted + vs.lied, 0);
	assert_int_equal(vs.messages, 2);
	post_close(&post);
}

static void bad_options_are_refused(struct pair *pair)
{
	struct shmipc_vector_options vector_options;
	struct shmipc_producer_options options;
	struct shmipc_producer *p = (void *)1;
	struct shmipc_vector *v = (void *)1;
	struct post post;

	post_init(&post, pair);
#define REFUSE_VECTOR(field, value)                                                                                    \
	vector_options = post.vector_options;                                                                          \
	vector_options.field = value;                                                                                  \
	assert_code(shmipc_vector_open(post.path, &vector_options, &v), -EINVAL);                                      \
	assert_null(v)
	REFUSE_VECTOR(size, 8);
	REFUSE_VECTOR(sync, 9);
	REFUSE_VECTOR(mode, 070000);
	REFUSE_VECTOR(producers_max, 0);
	REFUSE_VECTOR(producers_max, 4097);
	REFUSE_VECTOR(producer_memory, SHMIPC_PRODUCER_MEMORY_MIN - 1);
	REFUSE_VECTOR(memory_max, SHMIPC_PRODUCER_MEMORY_MIN - 1);
	REFUSE_VECTOR(spin_ns, 1000001);
	REFUSE_VECTOR(timed_ns, 999);
	REFUSE_VECTOR(delay_max_ns, UINT64_MAX);
	assert_code(shmipc_vector_open("", NULL, &v), -EINVAL);
#define REFUSE_PRODUCER(field, value)                                                                                  \
	options = post.producer_options;                                                                               \
	options.field = value;                                                                                         \
	assert_code(shmipc_producer_open(post.path, &options, &p), -EINVAL);                                           \
	assert_null(p)
	REFUSE_PRODUCER(size, 8);
	REFUSE_PRODUCER(backend, 9);
	REFUSE_PRODUCER(full, 9);
	REFUSE_PRODUCER(memory_max, SHMIPC_PRODUCER_MEMORY_MIN - 1);
	REFUSE_PRODUCER(memory_max, UINT64_C(1) << 32);
	assert_code(shmipc_producer_open("", NULL, &p), -EINVAL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(messages_of_any_length_arrive_whole_and_in_order),
		ON_BOTH(a_batch_is_all_that_is_queued_and_lies_in_the_producers_memory),
		ON_BOTH(what_next_did_not_show_comes_with_the_next_batch),
		ON_BOTH(one_batch_is_open_at_a_time),
		ON_BOTH(pieces_arrive_as_one_message),
		ON_BOTH(a_reservation_is_seen_when_it_is_committed_and_not_when_cancelled),
		ON_BOTH(a_message_says_who_sent_it),
		ON_BOTH(each_of_many_producers_has_a_share_in_every_batch),
		ON_BOTH(a_merged_batch_goes_by_time_of_push),
		ON_BOTH(a_producer_that_stamps_tells_the_time),
		ON_BOTH(counters_tell_what_went_through),
		ALONE(bad_options_are_refused),
	};

	return RUN_TESTS(tests, argc, argv);
}
