// SPDX-License-Identifier: Apache-2.0
/*
 * channel_ring.c - tests of the slot ring: full and empty, its kept slots, its laps past the end of
 * their 32 bits, and what a lying peer can write into it
 */
#include "channel/endpoint.h"

#include <string.h>

#include "pair.h"

static struct shmipc_channel_options small_ring(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);

	options.slots = 16;
	options.slices = 64;
	return options;
}

static void open_small(struct pair *pair)
{
	struct shmipc_channel_options options = small_ring(pair);

	pair_open(pair, &options, NULL);
}

/* Push until the ring is full. Returns how many went. */
static uint32_t fill(struct shmipc_channel *channel, size_t size, uint32_t tag, unsigned int flags)
{
	uint32_t n = 0;
	int r;

	while (!(r = pattern_push(channel, size, tag + n, flags)))
		assert_true(++n < 1000);
	assert_code(r, -EAGAIN);
	return n;
}

static void a_full_ring_is_eagain_and_loses_nothing(struct pair *pair)
{
	uint32_t n, i;

	open_small(pair);
	n = fill(pair->a, 50, 0, 0);
	assert_true(n >= 16 - KEPT_SLOTS - 1 && n <= 16 - KEPT_SLOTS);
	assert_code(pattern_push(pair->a, 50, 99, 0), -EAGAIN);
	for (i = 0; i < n; i++)
		pattern_take(pair->b, 50, i);
	assert_int_equal(fill(pair->a, 50, 0, 0), n);
}

static void kept_slots_are_there_when_others_are_not(struct pair *pair)
{
	uint32_t n, kept, i;

	open_small(pair);
	n = fill(pair->a, 50, 0, 0);
	kept = fill(pair->a, 50, n, SHMIPC_KEPT);
	assert_true(kept >= KEPT_SLOTS);
	assert_true(n + kept <= 16);
	assert_code(pattern_push(pair->a, 50, 0, 0), -EAGAIN);
	for (i = 0; i < n + kept; i++)
		pattern_take(pair->b, 50, i);
}

static void open_reservations_have_their_slots_for_sure(struct pair *pair)
{
	struct shmipc_buffer buffers[16];
	uint32_t n = 0, i;
	int r;

	open_small(pair);
	while (!(r = shmipc_channel_reserve(pair->a, n % 2 ? 20 : 300, SHMIPC_KEPT, &buffers[n])))
		assert_true(++n < 16);
	assert_code(r, -EAGAIN);
	assert_true(n >= 8);
	/* Whatever the order, none of them fails for want of room. */
	for (i = 0; i < n; i++) {
		struct shmipc_buffer *buffer = &buffers[(i * 5 + 3) % n];

		if (n % 5 == 0)
			buffer = &buffers[n - 1 - i];
		buffer->tag = i;
		buffer->kind = (uint16_t)(i * 3);
		pattern_fill(buffer->data, 20, i);
		assert_code(shmipc_channel_submit(pair->a, buffer, 20, 0), 0);
	}
	for (i = 0; i < n; i++)
		pattern_take(pair->b, 20, i);
}

static void cancelled_reservations_give_their_slots_back(struct pair *pair)
{
	struct shmipc_buffer small, slice;
	uint32_t n, i;

	open_small(pair);
	n = fill(pair->a, 50, 0, 0);
	for (i = 0; i < n; i++)
		pattern_take(pair->b, 50, i);
	for (i = 0; i < 1000; i++) {
		assert_code(shmipc_channel_reserve(pair->a, 10, 0, &small), 0);
		assert_code(shmipc_channel_reserve(pair->a, 500, 0, &slice), 0);
		assert_code(shmipc_channel_cancel(pair->a, i % 2 ? &small : &slice), 0);
		assert_code(shmipc_channel_cancel(pair->a, i % 2 ? &slice : &small), 0);
	}
	assert_int_equal(fill(pair->a, 50, 0, 0), n);
	assert_int_equal(pair->a->out.open, 0);
}

static void an_overtaken_reservation_that_is_cancelled_leaves_a_hole_that_nobody_sees(struct pair *pair)
{
	struct shmipc_message message;
	struct shmipc_buffer small;
	uint32_t i;

	open_small(pair);
	for (i = 0; i < 100; i++) {
		assert_code(shmipc_channel_reserve(pair->a, 10, 0, &small), 0);
		assert_code(pattern_push(pair->a, 400, i, 0), 0);
		assert_code(shmipc_channel_cancel(pair->a, &small), 0);
		pattern_take(pair->b, 400, i);
		assert_code(shmipc_channel_peek(pair->b, &message), -EAGAIN);
	}
	assert_int_equal(stats_of(pair->a).messages_sent, 100);
	assert_int_equal(stats_of(pair->b).messages_received, 100);
}

/* As if both had been at work for so long: every index of the direction from -> to stands at `index`. */
static void preset(struct shmipc_channel *from, struct shmipc_channel *to, uint32_t index)
{
	uint32_t i, slots = from->geometry.slots;

	from->out.prod = index;
	from->out.limit = index + slots;
	from->out.ring_mark = index;
	store_relaxed(&from->out.cons, index);
	to->in.next = index;
	store_relaxed(&to->own.words->cons, index);
	for (i = 0; i < slots; i++)
		store_relaxed(&from->own.ring[(index + i) & (slots - 1)].lap, index + i + 1 - slots);
}

static void preset_returns(struct shmipc_channel *from, struct shmipc_channel *to, uint32_t index)
{
	uint32_t i, slices = from->geometry.slices;

	to->in.ret_prod = index;
	store_relaxed(&from->own.words->ret_cons, index);
	for (i = 0; i < slices; i++)
		atomic_store(&to->own.returns[(index + i) & (slices - 1)], RETURN_ENTRY(index + i - slices, 0));
}

static void indices_go_on_past_the_end_of_their_32_bits(struct pair *pair)
{
	struct shmipc_message message;
	uint32_t i;

	open_small(pair);
	preset(pair->a, pair->b, UINT32_MAX - 20);
	preset_returns(pair->a, pair->b, UINT32_MAX - 100);
	assert_code(shmipc_channel_peek(pair->b, &message), -EAGAIN);
	for (i = 0; i < 300; i++) {
		assert_code(pattern_push(pair->a, i % 2 ? 60 : 600, i, 0), 0);
		pattern_take(pair->b, i % 2 ? 60 : 600, i);
		assert_code(shmipc_channel_peek(pair->b, &message), -EAGAIN);
		assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, 0), -ETIMEDOUT);
	}
	assert_int_equal(pair->a->out.prod, UINT32_MAX - 20 + 300);
	assert_int_equal(stats_of(pair->a).slices_lent, 0);
	assert_int_equal(stats_of(pair->a).depth_out, 0);
	assert_int_equal(stats_of(pair->b).depth_in, 0);
}

static void a_full_ring_is_full_at_every_place_of_the_wrap(struct pair *pair)
{
	uint32_t start, n, i, expected;

	open_small(pair);
	expected = fill(pair->a, 50, 0, 0);
	for (i = 0; i < expected; i++)
		pattern_take(pair->b, 50, i);
	for (start = UINT32_MAX - 40; start != 40; start++) {
		preset(pair->a, pair->b, start);
		n = fill(pair->a, 50, 0, 0);
		assert_int_equal(n, expected);
		assert_int_equal(stats_of(pair->a).depth_out, n);
		assert_int_equal(stats_of(pair->b).depth_in, n);
		for (i = 0; i < n; i++)
			pattern_take(pair->b, 50, i);
	}
}

static void overtaken_buffers_survive_the_wrap(struct pair *pair)
{
	struct shmipc_buffer small;
	uint32_t i;

	open_small(pair);
	preset(pair->a, pair->b, UINT32_MAX - 5);
	for (i = 0; i < 40; i++) {
		assert_code(shmipc_channel_reserve(pair->a, 64, 0, &small), 0);
		pattern_fill(small.data, 64, i);
		small.tag = i;
		small.kind = (uint16_t)(i * 3);
		assert_code(pattern_push(pair->a, 700, i + 100, 0), 0);
		assert_code(shmipc_channel_submit(pair->a, &small, 64, 0), 0);
		pattern_take(pair->b, 700, i + 100);
		pattern_take(pair->b, 64, i);
	}
}

/* After a lie every call says -EBADMSG, and goes on saying it. */
static void is_broken(struct shmipc_channel *channel)
{
	struct shmipc_message message;
	struct shmipc_buffer buffer;
	struct shmipc_peer peer;

	assert_code(shmipc_channel_peek(channel, &message), -EBADMSG);
	assert_code(shmipc_channel_reserve(channel, 1, 0, &buffer), -EBADMSG);
	assert_code(shmipc_channel_push(channel, "x", 1, 0, 0, 0), -EBADMSG);
	assert_code(shmipc_channel_wait(channel, SHMIPC_READABLE, FAR), -EBADMSG);
	assert_code(shmipc_channel_arm(channel, SHMIPC_READABLE), -EBADMSG);
	assert_code(shmipc_channel_grow(channel, 1), -EBADMSG);
	assert_code(shmipc_channel_ring(channel), -EBADMSG);
	assert_code(shmipc_channel_peer(channel, &peer), 0);
	stats_of(channel);
}

static void a_lap_that_is_neither_this_nor_the_last_is_ebadmsg(struct pair *pair)
{
	static const uint32_t off[] = { 1, 2, 15, 17, 1000, 1u << 31, UINT32_MAX };
	struct shmipc_message message;
	size_t i;

	for (i = 0; i < sizeof(off) / sizeof(*off); i++) {
		open_small(pair);
		preset(pair->a, pair->b, 5000);
		store_release(&pair->a->own.ring[5000 & 15].lap, 5001 + off[i]);
		assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
		assert_code(shmipc_channel_peek(pair->b, &message), -EBADMSG);
		is_broken(pair->b);
		shmipc_channel_destroy(pair->a);
		shmipc_channel_destroy(pair->b);
	}
	pair->a = pair->b = NULL;
}

static void a_first_lap_that_is_bogus_is_ebadmsg(struct pair *pair)
{
	struct shmipc_message message;

	open_small(pair);
	store_release(&pair->a->own.ring[0].lap, 2);
	assert_code(shmipc_channel_peek(pair->b, &message), -EBADMSG);
	is_broken(pair->b);
}

static void a_peer_that_consumed_more_than_was_sent_is_ebadmsg(struct pair *pair)
{
	struct shmipc_buffer buffer;

	open_small(pair);
	fill(pair->a, 50, 0, 0);
	store_release(&pair->b->own.words->cons, pair->a->out.prod + 1);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_WRITABLE, FAR), SHMIPC_WRITABLE);
	assert_code(shmipc_channel_reserve(pair->a, 1, 0, &buffer), -EBADMSG);
	is_broken(pair->a);
}

static void a_peer_that_goes_back_in_the_ring_is_ebadmsg(struct pair *pair)
{
	struct shmipc_buffer buffer;
	uint32_t n, i;

	open_small(pair);
	n = fill(pair->a, 50, 0, 0);
	for (i = 0; i < n; i++)
		pattern_take(pair->b, 50, i);
	fill(pair->a, 50, 0, 0);
	store_release(&pair->b->own.words->cons, 1);
	assert_code(shmipc_channel_reserve(pair->a, 1, 0, &buffer), -EBADMSG);
	is_broken(pair->a);
}

#define LIE(name, statement)                                                                                           \
	static void name(struct pair *pair)                                                                            \
	{                                                                                                              \
		struct shmipc_message message;                                                                         \
		struct slot *slot;                                                                                     \
                                                                                                                       \
		open_small(pair);                                                                                      \
		slot = &pair->a->own.ring[0];                                                                          \
		assert_code(pattern_push(pair->a, 1000, 1, 0), 0);                                                     \
		statement;                                                                                             \
		assert_code(shmipc_channel_peek(pair->b, &message), -EBADMSG);                                         \
		is_broken(pair->b);                                                                                    \
	}

LIE(a_slot_that_carries_an_unknown_thing_is_ebadmsg, store_relaxed(&slot->what, 3u << 16))
LIE(a_slot_with_an_unknown_high_bit_is_ebadmsg, store_relaxed(&slot->what, load_relaxed(&slot->what) | 1u << 31))
LIE(an_inline_message_too_long_for_its_slot_is_ebadmsg, store_relaxed(&slot->what, SLOT_INLINE << 16))
LIE(a_slice_number_beyond_the_table_is_ebadmsg, store_relaxed(&slot->ref.slice, 64))
LIE(a_segment_number_beyond_the_last_is_ebadmsg, store_relaxed(&slot->ref.segment, SHMIPC_SEGMENTS))
LIE(a_segment_that_does_not_exist_is_ebadmsg, store_relaxed(&slot->ref.segment, 7))
LIE(an_offset_beyond_the_segment_is_ebadmsg, atomic_store(&slot->ref.offset, 32769))
LIE(an_offset_near_the_end_of_64_bits_is_ebadmsg, atomic_store(&slot->ref.offset, UINT64_MAX - 100))
LIE(a_size_beyond_the_segment_is_ebadmsg, store_relaxed(&slot->size, 32769))
LIE(the_greatest_size_is_ebadmsg, store_relaxed(&slot->size, UINT32_MAX))

static void a_slice_that_was_not_lent_and_is_given_back_is_ebadmsg(struct pair *pair)
{
	static const uint32_t slices[] = { 0, 5, 63, 64, UINT32_MAX };
	struct shmipc_buffer buffer;
	size_t i;

	for (i = 0; i < sizeof(slices) / sizeof(*slices); i++) {
		open_small(pair);
		atomic_store(&pair->b->own.returns[0], RETURN_ENTRY(0, slices[i]));
		assert_code(shmipc_channel_reserve(pair->a, 1000, 0, &buffer), -EBADMSG);
		is_broken(pair->a);
		shmipc_channel_destroy(pair->a);
		shmipc_channel_destroy(pair->b);
	}
	pair->a = pair->b = NULL;
}

static void a_slice_that_is_being_written_cannot_be_given_back(struct pair *pair)
{
	struct shmipc_buffer buffer, other;

	open_small(pair);
	assert_code(shmipc_channel_reserve(pair->a, 1000, 0, &buffer), 0);
	atomic_store(&pair->b->own.returns[0], RETURN_ENTRY(0, buffer.slice));
	assert_code(shmipc_channel_reserve(pair->a, 1000, 0, &other), -EBADMSG);
}

static void a_slice_that_is_lent_twice_at_a_time_is_ebadmsg(struct pair *pair)
{
	struct shmipc_message message;

	open_small(pair);
	assert_code(pattern_push(pair->a, 1000, 1, 0), 0);
	assert_code(pattern_push(pair->a, 1000, 2, 0), 0);
	store_relaxed(&pair->a->own.ring[1].ref.slice, load_relaxed(&pair->a->own.ring[0].ref.slice));
	assert_code(shmipc_channel_peek(pair->b, &message), 0);
	assert_code(shmipc_channel_keep(pair->b, &message), 0);
	assert_code(shmipc_channel_peek(pair->b, &message), 0);
	assert_code(shmipc_channel_keep(pair->b, &message), -EBADMSG);
	is_broken(pair->b);
}

static volatile unsigned char sink;

static void retiring_the_segment_of_a_message_in_hand_does_not_take_it_away(struct pair *pair)
{
	struct shmipc_message message;
	size_t i;

	open_small(pair);
	assert_code(pattern_push(pair->a, 1000, 1, 0), 0);
	assert_code(shmipc_channel_peek(pair->b, &message), 0);
	store_release(&pair->a->own.words->retired, 1);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), -EBADMSG);
	for (i = 0; i < message.size; i++)
		sink = ((const unsigned char *)message.data)[i];
	is_broken(pair->b);
}

static void retiring_the_segment_of_a_kept_message_does_not_take_it_away(struct pair *pair)
{
	struct shmipc_message message;
	size_t i;

	open_small(pair);
	assert_code(pattern_push(pair->a, 1000, 1, 0), 0);
	assert_code(shmipc_channel_peek(pair->b, &message), 0);
	assert_code(shmipc_channel_keep(pair->b, &message), 0);
	store_release(&pair->a->own.words->retired, 1);
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, FAR), -EBADMSG);
	for (i = 0; i < message.size; i++)
		sink = ((const unsigned char *)message.data)[i];
	is_broken(pair->b);
}

static void a_lie_in_one_direction_leaves_other_channels_alone(struct pair *pair)
{
	struct shmipc_message message;
	struct pair other = { .backend = pair->backend };

	open_small(pair);
	pair_open(&other, NULL, NULL);
	store_release(&pair->a->own.ring[0].lap, 12345);
	assert_code(shmipc_channel_peek(pair->b, &message), -EBADMSG);
	assert_code(pattern_push(other.a, 1000, 1, 0), 0);
	pattern_take(other.b, 1000, 1);
	shmipc_channel_destroy(other.a);
	shmipc_channel_destroy(other.b);
}

static void depths_are_bounded_whatever_the_peer_says(struct pair *pair)
{
	open_small(pair);
	store_release(&pair->b->own.words->cons, 0x80000000u);
	assert_true(stats_of(pair->a).depth_out <= 16);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_full_ring_is_eagain_and_loses_nothing),
		ON_BOTH(kept_slots_are_there_when_others_are_not),
		ON_BOTH(open_reservations_have_their_slots_for_sure),
		ON_BOTH(cancelled_reservations_give_their_slots_back),
		ON_BOTH(an_overtaken_reservation_that_is_cancelled_leaves_a_hole_that_nobody_sees),
		ON_BOTH(indices_go_on_past_the_end_of_their_32_bits),
		ON_BOTH(a_full_ring_is_full_at_every_place_of_the_wrap),
		ON_BOTH(overtaken_buffers_survive_the_wrap),
		ON_BOTH(a_lap_that_is_neither_this_nor_the_last_is_ebadmsg),
		ON_BOTH(a_first_lap_that_is_bogus_is_ebadmsg),
		ON_BOTH(a_peer_that_consumed_more_than_was_sent_is_ebadmsg),
		ON_BOTH(a_peer_that_goes_back_in_the_ring_is_ebadmsg),
		ON_BOTH(a_slot_that_carries_an_unknown_thing_is_ebadmsg),
		ON_BOTH(a_slot_with_an_unknown_high_bit_is_ebadmsg),
		ON_BOTH(an_inline_message_too_long_for_its_slot_is_ebadmsg),
		ON_BOTH(a_slice_number_beyond_the_table_is_ebadmsg),
		ON_BOTH(a_segment_number_beyond_the_last_is_ebadmsg),
		ON_BOTH(a_segment_that_does_not_exist_is_ebadmsg),
		ON_BOTH(an_offset_beyond_the_segment_is_ebadmsg),
		ON_BOTH(an_offset_near_the_end_of_64_bits_is_ebadmsg),
		ON_BOTH(a_size_beyond_the_segment_is_ebadmsg),
		ON_BOTH(the_greatest_size_is_ebadmsg),
		ON_BOTH(a_slice_that_was_not_lent_and_is_given_back_is_ebadmsg),
		ON_BOTH(a_slice_that_is_being_written_cannot_be_given_back),
		ON_BOTH(a_slice_that_is_lent_twice_at_a_time_is_ebadmsg),
		ON_BOTH(retiring_the_segment_of_a_message_in_hand_does_not_take_it_away),
		ON_BOTH(retiring_the_segment_of_a_kept_message_does_not_take_it_away),
		ON_BOTH(a_lie_in_one_direction_leaves_other_channels_alone),
		ON_BOTH(depths_are_bounded_whatever_the_peer_says),
	};

	return RUN_TESTS(tests, argc, argv);
}
