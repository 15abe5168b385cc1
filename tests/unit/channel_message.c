// SPDX-License-Identifier: Apache-2.0
/*
 * channel_message.c - tests of reserve, submit, cancel, push, peek, release and keep
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "pair.h"

#define SLICE (SHMIPC_INLINE_MAX + 1)

static struct shmipc_buffer reserve(struct shmipc_channel *channel, size_t size)
{
	struct shmipc_buffer buffer;

	memset(&buffer, 0xa5, sizeof(buffer));
	assert_code(shmipc_channel_reserve(channel, size, 0, &buffer), 0);
	assert_true(buffer.size >= size);
	assert_int_equal((uintptr_t)buffer.data % 16, 0);
	assert_int_equal(buffer.tag, 0);
	assert_int_equal(buffer.kind, 0);
	return buffer;
}

static void submit(struct shmipc_channel *channel, struct shmipc_buffer *buffer, size_t size, uint32_t tag)
{
	pattern_fill(buffer->data, size, tag);
	buffer->tag = tag;
	buffer->kind = (uint16_t)(tag * 3);
	assert_code(shmipc_channel_submit(channel, buffer, size, 0), 0);
}

static void a_message_of_any_size_arrives_with_its_tag_and_kind(struct pair *pair)
{
	static const size_t sizes[] = { 0,   1,	  15,	16,   17,   63,	   64,	  65,	 111,	 112,	  113,	  127,
					128, 129, 4095, 4096, 4097, 32767, 32768, 32769, 100000, 1 << 20, 5 << 20 };
	size_t i;

	pair_open(pair, NULL, NULL);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		assert_code(pattern_push(pair->a, sizes[i], (uint32_t)i * 0x1234567, 0), 0);
		pattern_take(pair->b, sizes[i], (uint32_t)i * 0x1234567);
	}
}

static void an_empty_message_needs_no_memory_to_copy_from(struct pair *pair)
{
	pair_open(pair, NULL, NULL);
	assert_code(shmipc_channel_push(pair->a, NULL, 0, 5, 6, 0), 0);
	struct shmipc_message message;
	assert_code(shmipc_channel_peek(pair->b, &message), 0);
	assert_int_equal(message.size, 0);
	assert_int_equal(message.tag, 5);
	assert_int_equal(message.kind, 6);
	assert_code(shmipc_channel_release(pair->b, &message), 0);
}

static void the_largest_message_goes_and_one_that_can_never_fit_is_emsgsize(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);
	struct shmipc_buffer buffer;

	options.segment_bytes = 4096;
	options.memory_max = 1 << 20;
	pair_open(pair, &options, NULL);
	assert_code(shmipc_channel_reserve(pair->a, (1 << 20) + 1, 0, &buffer), -EMSGSIZE);
	assert_code(shmipc_channel_reserve(pair->a, SIZE_MAX, 0, &buffer), -EMSGSIZE);
	assert_code(shmipc_channel_reserve(pair->a, (size_t)UINT32_MAX + 1, 0, &buffer), -EMSGSIZE);
	assert_code(shmipc_channel_push(pair->a, "x", SIZE_MAX, 0, 0, 0), -EMSGSIZE);
	assert_code(pattern_push(pair->a, 900 << 10, 1, 0), 0);
	pattern_take(pair->b, 900 << 10, 1);
	/* Refusing it has harmed nothing. */
	assert_code(pattern_push(pair->a, 100, 2, 0), 0);
	pattern_take(pair->b, 100, 2);
}

static void a_message_is_shown_again_until_it_is_released(struct pair *pair)
{
	struct shmipc_message one, other;

	pair_open(pair, NULL, NULL);
	assert_code(pattern_push(pair->a, 300, 1, 0), 0);
	assert_code(pattern_push(pair->a, 30, 2, 0), 0);
	memset(&one, 0xa5, sizeof(one));
	memset(&other, 0x5a, sizeof(other));
	assert_code(shmipc_channel_peek(pair->b, &one), 0);
	assert_code(shmipc_channel_peek(pair->b, &other), 0);
	assert_ptr_equal(one.data, other.data);
	assert_int_equal(one.size, other.size);
	assert_int_equal(one.tag, other.tag);
	assert_code(shmipc_channel_release(pair->b, &one), 0);
	pattern_take(pair->b, 30, 2);
	assert_code(shmipc_channel_peek(pair->b, &one), -EAGAIN);
}

static void data_is_aligned_on_both_sides(struct pair *pair)
{
	size_t size;

	pair_open(pair, NULL, NULL);
	for (size = 0; size < 700; size += 7) {
		struct shmipc_buffer buffer = reserve(pair->a, size);
		struct shmipc_message message;

		submit(pair->a, &buffer, size, 1);
		assert_code(shmipc_channel_peek(pair->b, &message), 0);
		assert_int_equal((uintptr_t)message.data % 16, 0);
		assert_code(shmipc_channel_release(pair->b, &message), 0);
	}
}

static void buffers_are_sent_in_the_order_of_submit(struct pair *pair)
{
	struct shmipc_buffer one, two, three;

	pair_open(pair, NULL, NULL);
	one = reserve(pair->a, 500);
	two = reserve(pair->a, 600);
	three = reserve(pair->a, 700);
	submit(pair->a, &two, 600, 2);
	submit(pair->a, &three, 700, 3);
	submit(pair->a, &one, 500, 1);
	pattern_take(pair->b, 600, 2);
	pattern_take(pair->b, 700, 3);
	pattern_take(pair->b, 500, 1);
}

static void a_small_buffer_that_is_overtaken_keeps_its_bytes(struct pair *pair)
{
	struct shmipc_buffer small, other;
	uint32_t i;

	pair_open(pair, NULL, NULL);
	for (i = 0; i < 600; i++) {
		small = reserve(pair->a, 64);
		pattern_fill(small.data, 64, i);
		other = reserve(pair->a, i % 2 ? 64 : 2000);
		submit(pair->a, &other, i % 2 ? 64 : 2000, i + 1000);
		small.tag = i;
		small.kind = (uint16_t)(i * 3);
		assert_code(shmipc_channel_submit(pair->a, &small, 64, 0), 0);
		pattern_take(pair->b, i % 2 ? 64 : 2000, i + 1000);
		pattern_take(pair->b, 64, i);
	}
}

static void a_small_buffer_stays_good_while_the_ring_goes_round_as_far_as_it_may(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);
	struct shmipc_buffer small;
	uint32_t sent = 0;
	int r;

	options.slots = 16;
	pair_open(pair, &options, NULL);
	small = reserve(pair->a, 100);
	pattern_fill(small.data, 100, 4711);
	while (sent < 200 && !(r = pattern_push(pair->a, 40, sent, 0))) {
		pattern_take(pair->b, 40, sent);
		sent++;
	}
	/* Everything was consumed, yet its place cannot be reused: the ring stops before it. */
	assert_code(r, -EAGAIN);
	assert_true(sent >= 8);
	small.tag = 4711;
	small.kind = (uint16_t)(4711 * 3);
	assert_code(shmipc_channel_submit(pair->a, &small, 100, 0), 0);
	pattern_take(pair->b, 100, 4711);
	assert_code(pattern_push(pair->a, 40, 1, 0), 0);
	pattern_take(pair->b, 40, 1);
}

static void many_open_buffers_end_in_any_order_by_submit_or_cancel(struct pair *pair)
{
	enum { MANY = 60 };
	struct shmipc_buffer buffers[MANY];
	size_t sizes[MANY];
	unsigned int round;
	int i;

	pair_open(pair, NULL, NULL);
	srand(7);
	for (round = 0; round < 50; round++) {
		int order[MANY], sent[MANY], count = 0;

		for (i = 0; i < MANY; i++) {
			sizes[i] = (size_t)(rand() % 3 ? rand() % 200 : rand() % 9000);
			buffers[i] = reserve(pair->a, sizes[i]);
			pattern_fill(buffers[i].data, sizes[i], (uint32_t)i);
			order[i] = i;
		}
		for (i = MANY - 1; i > 0; i--) {
			int j = rand() % (i + 1), swap = order[i];

			order[i] = order[j];
			order[j] = swap;
		}
		for (i = 0; i < MANY; i++) {
			struct shmipc_buffer *buffer = &buffers[order[i]];

			if (rand() % 3 == 0) {
				assert_code(shmipc_channel_cancel(pair->a, buffer), 0);
				continue;
			}
			buffer->tag = (uint32_t)order[i];
			buffer->kind = (uint16_t)(order[i] * 3);
			assert_code(shmipc_channel_submit(pair->a, buffer, sizes[order[i]], 0), 0);
			sent[count++] = order[i];
		}
		for (i = 0; i < count; i++)
			pattern_take(pair->b, sizes[sent[i]], (uint32_t)sent[i]);
	}
	assert_int_equal(stats_of(pair->a).slices_lent, 0);
	assert_int_equal(stats_of(pair->a).depth_out, 0);
}

static void a_cancelled_buffer_is_never_seen(struct pair *pair)
{
	struct shmipc_message message;
	struct shmipc_buffer buffer;

	pair_open(pair, NULL, NULL);
	buffer = reserve(pair->a, 10);
	assert_code(shmipc_channel_cancel(pair->a, &buffer), 0);
	buffer = reserve(pair->a, 1000);
	assert_code(shmipc_channel_cancel(pair->a, &buffer), 0);
	assert_code(shmipc_channel_peek(pair->b, &message), -EAGAIN);
	assert_int_equal(stats_of(pair->a).messages_sent, 0);
	assert_code(pattern_push(pair->a, 10, 1, 0), 0);
	pattern_take(pair->b, 10, 1);
}

static void cancelling_gives_memory_back_at_once(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);
	int i;

	options.segment_bytes = options.memory_max = 32768;
	pair_open(pair, &options, NULL);
	for (i = 0; i < 1000; i++) {
		struct shmipc_buffer buffer = reserve(pair->a, 20000);

		assert_code(shmipc_channel_cancel(pair->a, &buffer), 0);
	}
}

static void what_is_not_an_open_buffer_is_einval(struct pair *pair)
{
	static const size_t sizes[] = { 10, SLICE };
	size_t i;

	pair_open(pair, NULL, NULL);
	for (i = 0; i < 2; i++) {
		struct shmipc_buffer buffer = reserve(pair->a, sizes[i]), copy = buffer;

		assert_code(shmipc_channel_submit(pair->b, &buffer, 1, 0), -EINVAL); /* another channel's */
		assert_code(shmipc_channel_cancel(pair->b, &buffer), -EINVAL);
		assert_code(shmipc_channel_submit(pair->a, &buffer, 1, 0), 0);
		assert_code(shmipc_channel_submit(pair->a, &copy, 1, 0), -EINVAL); /* again */
		assert_code(shmipc_channel_cancel(pair->a, &copy), -EINVAL);
		buffer = reserve(pair->a, sizes[i]);
		copy = buffer;
		assert_code(shmipc_channel_cancel(pair->a, &buffer), 0);
		assert_code(shmipc_channel_cancel(pair->a, &copy), -EINVAL);
		assert_code(shmipc_channel_submit(pair->a, &copy, 1, 0), -EINVAL);
	}
	assert_int_equal(stats_of(pair->a).messages_sent, 2);
}

static void a_size_beyond_the_buffer_is_einval_and_leaves_it_open(struct pair *pair)
{
	static const size_t sizes[] = { 10, SLICE, 5000 };
	size_t i;

	pair_open(pair, NULL, NULL);
	for (i = 0; i < 3; i++) {
		struct shmipc_buffer buffer = reserve(pair->a, sizes[i]);

		assert_code(shmipc_channel_submit(pair->a, &buffer, buffer.size + 1, 0), -EINVAL);
		assert_code(shmipc_channel_submit(pair->a, &buffer, SIZE_MAX, 0), -EINVAL);
		submit(pair->a, &buffer, buffer.size, 1);
		pattern_take(pair->b, buffer.size, 1);
	}
}

static void every_unknown_flag_is_einval(struct pair *pair)
{
	struct shmipc_buffer buffer, open;
	unsigned int bit;

	pair_open(pair, NULL, NULL);
	open = reserve(pair->a, 10);
	for (bit = 0; bit < 32; bit++) {
		if (1u << bit != SHMIPC_KEPT)
			assert_code(shmipc_channel_reserve(pair->a, 1, 1u << bit, &buffer), -EINVAL);
		if (!(1u << bit & (SHMIPC_MORE | SHMIPC_LAZY)))
			assert_code(shmipc_channel_submit(pair->a, &open, 1, 1u << bit), -EINVAL);
		if (!(1u << bit & (SHMIPC_KEPT | SHMIPC_MORE | SHMIPC_LAZY)))
			assert_code(shmipc_channel_push(pair->a, "x", 1, 0, 0, 1u << bit), -EINVAL);
	}
	assert_int_equal(stats_of(pair->a).messages_sent, 0);
	submit(pair->a, &open, 10, 3);
	pattern_take(pair->b, 10, 3);
}

static void every_known_flag_sends(struct pair *pair)
{
	unsigned int flags;

	pair_open(pair, NULL, NULL);
	for (flags = 0; flags <= (SHMIPC_KEPT | SHMIPC_MORE | SHMIPC_LAZY); flags++) {
		assert_code(pattern_push(pair->a, 100, flags, flags), 0);
		assert_code(pattern_push(pair->a, 1000, flags, flags), 0);
	}
	assert_code(shmipc_channel_ring(pair->a), 0);
	for (flags = 0; flags <= (SHMIPC_KEPT | SHMIPC_MORE | SHMIPC_LAZY); flags++) {
		pattern_take(pair->b, 100, flags);
		pattern_take(pair->b, 1000, flags);
	}
}

static void kept_messages_are_released_in_any_order(struct pair *pair)
{
	enum { MANY = 40 };
	struct shmipc_message messages[MANY];
	unsigned int round;
	int i;

	pair_open(pair, NULL, NULL);
	srand(11);
	for (round = 0; round < 40; round++) {
		for (i = 0; i < MANY; i++)
			assert_code(pattern_push(pair->a, 200 + (size_t)i * 50, (uint32_t)i, 0), 0);
		for (i = 0; i < MANY; i++) {
			assert_code(shmipc_channel_peek(pair->b, &messages[i]), 0);
			assert_code(shmipc_channel_keep(pair->b, &messages[i]), 0);
		}
		assert_int_equal(stats_of(pair->a).slices_lent, MANY);
		assert_int_equal(stats_of(pair->a).depth_out, 0);
		for (i = MANY; i > 0; i--) {
			int j = rand() % i;

			assert_true(pattern_is(messages[j].data, messages[j].size, messages[j].tag));
			assert_code(shmipc_channel_release(pair->b, &messages[j]), 0);
			messages[j] = messages[i - 1];
		}
		assert_int_equal(stats_of(pair->a).slices_lent, 0);
		assert_int_equal(stats_of(pair->a).bytes_lent, 0);
	}
}

static void messages_behind_a_kept_one_come_and_go(struct pair *pair)
{
	struct shmipc_message kept;
	uint32_t i;

	pair_open(pair, NULL, NULL);
	assert_code(pattern_push(pair->a, 777, 42, 0), 0);
	assert_code(shmipc_channel_peek(pair->b, &kept), 0);
	assert_code(shmipc_channel_keep(pair->b, &kept), 0);
	for (i = 0; i < 3000; i++) {
		assert_code(pattern_push(pair->a, 40 + i % 300, i, 0), 0);
		pattern_take(pair->b, 40 + i % 300, i);
	}
	assert_true(pattern_is(kept.data, 777, 42));
	assert_code(shmipc_channel_release(pair->b, &kept), 0);
	assert_code(shmipc_channel_release(pair->b, &kept), -EINVAL);
}

static void what_rides_in_a_slot_cannot_be_kept_and_stays_the_next(struct pair *pair)
{
	struct shmipc_message message;

	pair_open(pair, NULL, NULL);
	assert_code(pattern_push(pair->a, SHMIPC_INLINE_MAX, 1, 0), 0);
	assert_code(shmipc_channel_peek(pair->b, &message), 0);
	assert_code(shmipc_channel_keep(pair->b, &message), -EOPNOTSUPP);
	pattern_take(pair->b, SHMIPC_INLINE_MAX, 1);
}

static void releasing_or_keeping_what_was_not_shown_is_einval(struct pair *pair)
{
	struct shmipc_message message, old;

	pair_open(pair, NULL, NULL);
	memset(&message, 0, sizeof(message));
	assert_code(shmipc_channel_release(pair->b, &message), -EINVAL);
	assert_code(shmipc_channel_keep(pair->b, &message), -EINVAL);
	memset(&message, 0xff, sizeof(message));
	assert_code(shmipc_channel_release(pair->b, &message), -EINVAL);
	assert_code(pattern_push(pair->a, 300, 1, 0), 0);
	assert_code(pattern_push(pair->a, 300, 2, 0), 0);
	assert_code(shmipc_channel_release(pair->b, &message), -EINVAL);
	assert_code(shmipc_channel_peek(pair->b, &old), 0);
	assert_code(shmipc_channel_release(pair->b, &old), 0);
	assert_code(shmipc_channel_release(pair->b, &old), -EINVAL); /* again, before the next peek */
	assert_code(shmipc_channel_keep(pair->b, &old), -EINVAL);
	assert_code(shmipc_channel_peek(pair->b, &message), 0);
	assert_code(shmipc_channel_release(pair->b, &old), -EINVAL); /* and after it */
	assert_code(shmipc_channel_keep(pair->b, &message), 0);
	assert_code(shmipc_channel_keep(pair->b, &message), -EINVAL);
	assert_code(shmipc_channel_release(pair->b, &message), 0);
	assert_int_equal(stats_of(pair->a).slices_lent, 0);
}

static void the_peers_memory_cannot_be_made_writable(struct pair *pair)
{
	static const size_t sizes[] = { 10, 1000, 100000 };
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	size_t i;

	pair_open(pair, NULL, NULL);
	for (i = 0; i < 3; i++) {
		struct shmipc_message message;
		void *at;

		assert_code(pattern_push(pair->a, sizes[i], 1, 0), 0);
		assert_code(shmipc_channel_peek(pair->b, &message), 0);
		at = (void *)((uintptr_t)message.data & ~(page - 1));
		errno = 0;
		assert_int_equal(mprotect(at, page, PROT_READ | PROT_WRITE), -1);
		assert_true(errno == EACCES || errno == EPERM);
		assert_int_equal(mprotect(at, page, PROT_READ | PROT_EXEC | PROT_WRITE), -1);
		assert_code(shmipc_channel_release(pair->b, &message), 0);
	}
}

static int write_to_a_message(struct shmipc_channel *channel, int control)
{
	struct shmipc_message message;

	(void)control;
	child_check(shmipc_channel_wait(channel, SHMIPC_READABLE, FAR) == SHMIPC_READABLE);
	child_check(shmipc_channel_peek(channel, &message) == 0);
	*(volatile char *)(uintptr_t)message.data = 'x';
	return 3;
}

static void writing_to_the_peers_memory_is_a_segmentation_fault(struct pair *pair)
{
	struct child child;
	int status;

	child_start(&child, pair, NULL, write_to_a_message);
	assert_code(pattern_push(pair->a, 1000, 1, 0), 0);
	status = child_end(&child);
	/* A sanitizer reports it, and exits, in the signal's place. */
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGSEGV
					: WEXITSTATUS(status) > 3 || WEXITSTATUS(status) == 1);
}

static void peek_alone_never_blocks(struct pair *pair)
{
	struct shmipc_message message;
	int i;

	pair_open(pair, NULL, NULL);
	for (i = 0; i < 1000; i++)
		assert_code(shmipc_channel_peek(pair->b, &message), -EAGAIN);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_message_of_any_size_arrives_with_its_tag_and_kind),
		ON_BOTH(an_empty_message_needs_no_memory_to_copy_from),
		ON_BOTH(the_largest_message_goes_and_one_that_can_never_fit_is_emsgsize),
		ON_BOTH(a_message_is_shown_again_until_it_is_released),
		ON_BOTH(data_is_aligned_on_both_sides),
		ON_BOTH(buffers_are_sent_in_the_order_of_submit),
		ON_BOTH(a_small_buffer_that_is_overtaken_keeps_its_bytes),
		ON_BOTH(a_small_buffer_stays_good_while_the_ring_goes_round_as_far_as_it_may),
		ON_BOTH(many_open_buffers_end_in_any_order_by_submit_or_cancel),
		ON_BOTH(a_cancelled_buffer_is_never_seen),
		ON_BOTH(cancelling_gives_memory_back_at_once),
		ON_BOTH(what_is_not_an_open_buffer_is_einval),
		ON_BOTH(a_size_beyond_the_buffer_is_einval_and_leaves_it_open),
		ON_BOTH(every_unknown_flag_is_einval),
		ON_BOTH(every_known_flag_sends),
		ON_BOTH(kept_messages_are_released_in_any_order),
		ON_BOTH(messages_behind_a_kept_one_come_and_go),
		ON_BOTH(what_rides_in_a_slot_cannot_be_kept_and_stays_the_next),
		ON_BOTH(releasing_or_keeping_what_was_not_shown_is_einval),
		ON_BOTH(the_peers_memory_cannot_be_made_writable),
		ON_BOTH_FORKING(writing_to_the_peers_memory_is_a_segmentation_fault),
		ON_BOTH(peek_alone_never_blocks),
	};

	return RUN_TESTS(tests, argc, argv);
}
