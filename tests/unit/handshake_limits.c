// SPDX-License-Identifier: Apache-2.0
/*
 * handshake_limits.c - tests of how large a session is: what each side says of itself, and what a client may ask for
 */
#include <string.h>

#include "channel/endpoint.h"
#include "shake.h"

static void each_hears_the_others_limits(struct pair *pair)
{
	struct session_limits limits;
	struct shake shake;
	int i;

	shake_prepare(&shake, pair);
	for (i = 0; i < 2; i++) {
		shake.options[i].window = 5000u + (uint32_t)i;
		shake.options[i].private_max = (7ull << 32) + (uint32_t)i;
		shake.options[i].streams_max = 90u + (uint32_t)i;
	}
	shake_begin(&shake, FAR);
	shake_run(&shake);
	for (i = 0; i < 2; i++) {
		assert_code(shake.result[i], 0);
		memset(&limits, 0xa5, sizeof(limits));
		handshake_take(&shake.side[i], i ? &pair->b : &pair->a, &limits);
		shake.result[i] = -EIO;
		assert_int_equal(limits.window, 5001 - i);
		assert_int_equal(limits.private_max, (7ull << 32) + 1 - (uint32_t)i);
		assert_int_equal(limits.streams_max, 91 - i);
	}
	shake_close(&shake);
}

static void a_lane_is_no_larger_than_the_server_allows(struct pair *pair)
{
	struct shake shake;

	shake_prepare(&shake, pair);
	shake.options[CLIENT].channel.memory_max = 4 << 20;
	shake.options[CLIENT].channel.segment_bytes = 2 << 20;
	shake.options[SERVER].channel.memory_max = 1 << 20;
	shake_begin(&shake, FAR);
	shake_run(&shake);
	shake_close(&shake);
	assert_non_null(pair->a);
	assert_non_null(pair->b);
	assert_int_equal(pair->a->geometry.memory_max, 1 << 20);
	assert_int_equal(pair->a->geometry.segment_bytes, 1 << 20);
	assert_int_equal(pair->b->geometry.memory_max, 1 << 20);
}

static void each_lane_starts_with_what_its_side_asked_for(struct pair *pair)
{
	struct shake shake;

	shake_prepare(&shake, pair);
	shake.options[CLIENT].channel.segment_bytes = 2 << 20;
	shake.options[SERVER].channel.segment_bytes = 5000;
	shake_begin(&shake, FAR);
	shake_run(&shake);
	shake_close(&shake);
	assert_int_equal(stats_of(pair->a).memory_bytes, pair->a->geometry.head_bytes + (2 << 20));
	assert_int_equal(stats_of(pair->b).memory_bytes, pair->b->geometry.head_bytes + 8192);
	/* And grows to as much. */
	assert_code(pattern_push(pair->b, 5 << 20, 1, 0), 0);
	pattern_take(pair->a, 5 << 20, 1);
	/* A server that has more to begin with does not get it. */
	shake_prepare(&shake, pair);
	shake.options[SERVER].channel.segment_bytes = 2 << 20;
	shake_begin(&shake, FAR);
	shake_run(&shake);
	shake_close(&shake);
	assert_int_equal(stats_of(pair->b).memory_bytes, stats_of(pair->a).memory_bytes);
}

static void a_lane_is_no_larger_than_the_client_wants(struct pair *pair)
{
	struct shake shake;

	shake_prepare(&shake, pair);
	shake.options[CLIENT].channel.memory_max = 1 << 20;
	shake_begin(&shake, FAR);
	shake_run(&shake);
	shake_close(&shake);
	assert_int_equal(pair->b->geometry.memory_max, 1 << 20);
}

static void an_offer_of_more_than_the_server_said_is_emsgsize_on_both_sides(struct pair *pair)
{
	struct wire_hello hello;
	struct shake shake;
	struct parcel parcel;

	shake_prepare(&shake, pair);
	shake.options[SERVER].channel.memory_max = 1 << 20;
	shake_begin(&shake, FAR);
	shake_until(&shake, WELCOME, &parcel);
	hello = parcel_hello(&parcel);
	assert_int_equal(hello.memory_max, 1 << 20);
	hello.memory_max = 2 << 20;
	parcel_set_hello(&parcel, &hello);
	shake_finish(&shake, WELCOME, &parcel);
	assert_code(shake.result[SERVER], -EMSGSIZE);
	assert_code(shake.result[CLIENT], -EMSGSIZE);
	shake_close(&shake);
}

static void limits_out_of_bounds_are_eproto_on_both_sides(struct pair *pair)
{
	int message;

	for (message = HELLO; message <= WELCOME; message++) {
		const struct wire_hello honest = shake_honest_hello(pair, message);
		struct wire_hello hello;

#define REFUSE(change)                                                                                                 \
	do {                                                                                                           \
		hello = honest;                                                                                        \
		hello.change;                                                                                          \
		print_message("# %s of message %d\n", #change, message);                                               \
		shake_expect_refusal(pair, message, &hello, -EPROTO);                                                  \
	} while (0)
		REFUSE(revision = 0);
		REFUSE(streams_max = 0);
		REFUSE(streams_max = (1u << 24) + 1);
		REFUSE(window = 4095);
		REFUSE(window = (1ull << 30) + 1);
		REFUSE(window = UINT64_MAX);
		REFUSE(private_max = 65535);
		REFUSE(private_max = (1ull << 40) + 1);
		REFUSE(memory_max = 4095);
		REFUSE(memory_max = 0);
		REFUSE(memory_max = (1ull << 36) + 1);
		REFUSE(memory_max = UINT64_MAX);
		if (message == HELLO)
			REFUSE(choice = WIRE_MEMFD);
		else
			REFUSE(choice = 0);
		if (message == WELCOME) {
			REFUSE(choice = WIRE_KMOD | WIRE_MEMFD);
			REFUSE(choice = 4);
			REFUSE(backends = 0);
		}
#undef REFUSE
	}
}

/* A client that asks for this, and a server that takes so much: what both come to. */
static void expect_geometry(struct pair *pair, uint32_t slots, uint32_t slices, uint32_t slots_max, uint32_t slices_max,
			    int expected)
{
	struct shake shake;
	struct parcel parcel;

	shake_prepare(&shake, pair);
	shake.options[CLIENT].channel.slots = slots;
	shake.options[CLIENT].channel.slices = slices;
	shake.options[SERVER].slots_max = slots_max;
	shake.options[SERVER].slices_max = slices_max;
	shake_begin(&shake, FAR);
	shake_until(&shake, OFFER, &parcel);
	shake_give(&shake, SERVER, &parcel);
	assert_code(shake.result[SERVER], expected);
	if (expected)
		assert_null(shake.side[SERVER].channel);
	shake_take(&shake, SERVER, &parcel);
	shake_give(&shake, CLIENT, &parcel);
	assert_code(shake.result[CLIENT], expected);
	shake_close(&shake);
	if (!expected) {
		assert_int_equal(pair->b->geometry.slots, slots);
		assert_int_equal(pair->b->geometry.slices, slices);
	}
}

static void more_slots_than_the_server_takes_are_e2big_on_both_sides(struct pair *pair)
{
	expect_geometry(pair, 32, 64, 32, 64, 0);
	expect_geometry(pair, 64, 64, 32, 64, -E2BIG);
	expect_geometry(pair, 64, 64, 63, 65536, -E2BIG);
	expect_geometry(pair, 65536, 64, 65535, 65536, -E2BIG);
	expect_geometry(pair, 65536, 64, 65536, 64, 0);
}

static void more_slices_than_the_server_takes_are_e2big_on_both_sides(struct pair *pair)
{
	expect_geometry(pair, 16, 128, 16, 128, 0);
	expect_geometry(pair, 16, 256, 16, 128, -E2BIG);
	expect_geometry(pair, 16, 65536, 65536, 65535, -E2BIG);
	expect_geometry(pair, 16, 65536, 16, 65536, 0);
}

static void unless_told_otherwise_a_server_takes_8192_of_each(struct pair *pair)
{
	const struct shmipc_session_options defaults = SHMIPC_SESSION_OPTIONS_INIT;

	expect_geometry(pair, 8192, 8192, defaults.slots_max, defaults.slices_max, 0);
	expect_geometry(pair, 16384, 64, defaults.slots_max, defaults.slices_max, -E2BIG);
	expect_geometry(pair, 16, 16384, defaults.slots_max, defaults.slices_max, -E2BIG);
}

/* What no channel can have is not too much of it, but nonsense, however much the server takes. */
static void a_number_of_slots_that_is_none_is_eproto(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;

	shake_open(&shake, pair);
	shake_until(&shake, OFFER, &parcel);
	put32(parcel.bytes + 12, 1u << 31);
	shake_give(&shake, SERVER, &parcel);
	assert_code(shake.result[SERVER], -EPROTO);
	shake_expect_error(&shake, SERVER, -EPROTO);
	shake_close(&shake);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(each_hears_the_others_limits),
		ON_BOTH(a_lane_is_no_larger_than_the_server_allows),
		ON_BOTH(each_lane_starts_with_what_its_side_asked_for),
		ON_BOTH(a_lane_is_no_larger_than_the_client_wants),
		ON_BOTH(an_offer_of_more_than_the_server_said_is_emsgsize_on_both_sides),
		ON_MEMFD(limits_out_of_bounds_are_eproto_on_both_sides),
		ON_BOTH(more_slots_than_the_server_takes_are_e2big_on_both_sides),
		ON_BOTH(more_slices_than_the_server_takes_are_e2big_on_both_sides),
		ON_BOTH(unless_told_otherwise_a_server_takes_8192_of_each),
		ON_BOTH(a_number_of_slots_that_is_none_is_eproto),
	};

	return RUN_TESTS(tests, argc, argv);
}
