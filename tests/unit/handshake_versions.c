// SPDX-License-Identifier: Apache-2.0
/*
 * handshake_versions.c - tests of peers of other protocols, of later revisions, and of those that give up
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "shake.h"

static void the_older_protocols_header_comes_first(struct pair *pair)
{
	static const unsigned char exchange[] = { 0, 0, 0, 8, 0x77, 0x58, 3, 4 };
	static const unsigned char exchanged[] = { 0, 0, 0, 8, 0x77, 0x58, 16, 4 };
	struct shake shake;
	struct parcel parcel;

	shake_open(&shake, pair);
	shake_until(&shake, EXCHANGE, &parcel);
	assert_int_equal(parcel.size, 8);
	assert_memory_equal(parcel.bytes, exchange, 8);
	shake_give(&shake, SERVER, &parcel);
	shake_take(&shake, SERVER, &parcel);
	assert_int_equal(parcel.size, 8);
	assert_memory_equal(parcel.bytes, exchanged, 8);
	shake_close(&shake);
}

static void revision_and_features_may_be_of_later_times(struct pair *pair)
{
	struct wire_hello hello;
	struct shake shake;
	struct parcel parcel;
	int message;

	shake_open(&shake, pair);
	for (message = EXCHANGE; message < MESSAGES; message++) {
		shake_take(&shake, SENDER(message), &parcel);
		if (message == HELLO || message == WELCOME) {
			hello = parcel_hello(&parcel);
			hello.revision = 77;
			hello.optional = 0xffffffff;
			hello.backends |= 0xfffffffc;
			parcel_set_hello(&parcel, &hello);
			/* And there may be more of it. */
			memset(parcel.bytes + parcel.size, 0xff, WIRE_HELLO_MAX - parcel.size);
			parcel.size = message == HELLO ? WIRE_HELLO_MAX : WIRE_HELLO_SIZE + 1;
			put32(parcel.bytes, (uint32_t)parcel.size);
		}
		shake_give(&shake, RECEIVER(message), &parcel);
	}
	assert_code(shake.result[CLIENT], 0);
	assert_code(shake.result[SERVER], 0);
	shake_close(&shake);
}

static void a_required_feature_that_is_unknown_is_eprotonosupport_on_both_sides(struct pair *pair)
{
	struct wire_hello hello;
	int message, bit;

	for (message = HELLO; message <= WELCOME; message++) {
		hello = shake_honest_hello(pair, message);
		for (bit = 0; bit < 32; bit++) {
			hello.required = 1u << bit;
			shake_expect_refusal(pair, message, &hello, -EPROTONOSUPPORT);
		}
	}
}

static void a_client_of_the_older_protocol_is_eprotonosupport(struct pair *pair)
{
	static const unsigned char by_path[] = { 0, 0, 0, 20, 0x77, 0x58, 2, 0 };
	static const unsigned char exchange[] = { 0, 0, 0, 8, 0x77, 0x58, 3, 4 };
	static const unsigned char second[2][8] = { { 0, 0, 0, 0x3b, 0x77, 0x58, 3, 5 },
						    { 0, 0, 0, 0x3b, 0x77, 0x58, 3, 0 } };
	struct shake shake;
	struct parcel parcel;
	int i;

	shake_open(&shake, pair);
	shake_give_bytes(&shake, SERVER, by_path, 8);
	assert_code(shake.result[SERVER], -EPROTONOSUPPORT);
	/* Nothing is said that it would not understand. */
	assert_int_equal(recv(shake.far[SERVER], &parcel, 1, MSG_DONTWAIT), -1);
	shake_close(&shake);
	for (i = 0; i < 2; i++) {
		shake_open(&shake, pair);
		shake_give_bytes(&shake, SERVER, exchange, 8);
		shake_take(&shake, SERVER, &parcel);
		assert_int_equal(parcel.bytes[6], 16);
		shake_give_bytes(&shake, SERVER, second[i], 8);
		assert_code(shake.result[SERVER], -EPROTONOSUPPORT);
		assert_int_equal(recv(shake.far[SERVER], &parcel, 1, MSG_DONTWAIT), -1);
		shake_close(&shake);
	}
}

static void a_server_of_the_older_protocol_is_eprotonosupport(struct pair *pair)
{
	unsigned char exchanged[] = { 0, 0, 0, 8, 0x77, 0x58, 3, 4 };
	struct shake shake;
	struct parcel parcel;

	for (exchanged[6] = 2; exchanged[6] <= 3; exchanged[6]++) {
		shake_open(&shake, pair);
		shake_until(&shake, EXCHANGE, &parcel);
		shake_give_bytes(&shake, CLIENT, exchanged, 8);
		assert_code(shake.result[CLIENT], -EPROTONOSUPPORT);
		assert_int_equal(recv(shake.far[CLIENT], &parcel, 1, MSG_DONTWAIT), -1);
		shake_close(&shake);
	}
}

static void what_one_side_gives_up_with_the_other_returns(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;
	int message, side;

	/* Instead of each message after the exchange. */
	for (message = HELLO; message < MESSAGES; message++) {
		side = RECEIVER(message);
		shake_open(&shake, pair);
		shake_until(&shake, message, &parcel);
		parcel_drop(&parcel);
		parcel.size = error_encode(parcel.bytes, -EDQUOT);
		shake_give(&shake, side, &parcel);
		assert_code(shake.result[side], -EDQUOT);
		/* That is the last word. */
		assert_int_equal(recv(shake.far[side], &parcel, 1, MSG_DONTWAIT), -1);
		shake_close(&shake);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(the_older_protocols_header_comes_first),
		ON_BOTH(revision_and_features_may_be_of_later_times),
		ON_MEMFD(a_required_feature_that_is_unknown_is_eprotonosupport_on_both_sides),
		ON_MEMFD(a_client_of_the_older_protocol_is_eprotonosupport),
		ON_MEMFD(a_server_of_the_older_protocol_is_eprotonosupport),
		ON_BOTH(what_one_side_gives_up_with_the_other_returns),
	};

	return RUN_TESTS(tests, argc, argv);
}
