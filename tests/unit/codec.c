// SPDX-License-Identifier: Apache-2.0
/*
 * codec.c - tests of the messages of a control socket, as bytes
 */
#include "wire/codec.h"

#include <string.h>

#include "pair.h"
#include "wire/frame.h"

static void a_header_is_as_in_the_older_protocol(struct pair *pair)
{
	static const unsigned char exchange[] = { 0, 0, 0, 8, 0x77, 0x58, 3, 4 };
	const struct wire_header header = { 8, 3, 4 };
	unsigned char out[8];
	struct wire_header in;

	(void)pair;
	memset(out, 0xa5, sizeof(out));
	header_encode(out, &header);
	assert_memory_equal(out, exchange, 8);
	assert_code(header_decode(exchange, &in), 0);
	assert_int_equal(in.length, 8);
	assert_int_equal(in.version, 3);
	assert_int_equal(in.type, 4);
}

static void a_header_with_another_magic_or_too_short_a_length_is_ebadmsg(struct pair *pair)
{
	unsigned char in[] = { 0, 0, 0, 8, 0x77, 0x58, 3, 4 };
	struct wire_header header;
	int bit;

	(void)pair;
	for (bit = 0; bit < 16; bit++) {
		in[4 + bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_code(header_decode(in, &header), -EBADMSG);
		in[4 + bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	for (in[3] = 0; in[3] < 8; in[3]++)
		assert_code(header_decode(in, &header), -EBADMSG);
	assert_code(header_decode(in, &header), 0);
}

static void a_hello_comes_back_as_it_was(struct pair *pair)
{
	const struct wire_hello hello = { 0x01020304,	      0x11121314,	  0x21222324,
					  0x31323334,	      0x41424344,	  0x51525354,
					  0x6162636465666768, 0x7172737475767778, 0x8182838485868788 };
	unsigned char out[WIRE_HELLO_SIZE];
	struct wire_header header;
	struct wire_hello back;
	int i;

	(void)pair;
	memset(out, 0xa5, sizeof(out));
	memset(&back, 0xa5, sizeof(back));
	assert_int_equal(hello_encode(out, WIRE_WELCOME, &hello), WIRE_HELLO_SIZE);
	assert_code(header_decode(out, &header), 0);
	assert_int_equal(header.length, WIRE_HELLO_SIZE);
	assert_int_equal(header.version, 16);
	assert_int_equal(header.type, WIRE_WELCOME);
	/* Big-endian, and nothing between the fields. */
	for (i = 0; i < 4; i++)
		assert_int_equal(out[8 + i], 1 + i);
	for (i = 0; i < 8; i++)
		assert_int_equal(out[48 + i], 0x81 + i);
	hello_decode(out, &back);
	assert_memory_equal(&back, &hello, sizeof(hello));
}

static void an_offer_comes_back_as_it_was(struct pair *pair)
{
	struct offer offer, back;
	unsigned char out[WIRE_OFFER_SIZE];
	struct wire_header header;
	size_t i;

	(void)pair;
	for (i = 0; i < sizeof(offer); i++)
		((unsigned char *)&offer)[i] = (unsigned char)(i + 1);
	memset(&back, 0, sizeof(back));
	assert_int_equal(offer_encode(out, &offer), WIRE_OFFER_SIZE);
	assert_code(header_decode(out, &header), 0);
	assert_int_equal(header.length, WIRE_OFFER_SIZE);
	assert_int_equal(header.type, WIRE_OFFER);
	offer_decode(out, &back);
	assert_memory_equal(&back, &offer, sizeof(offer));
}

static void an_error_comes_back_as_it_was_if_it_is_one(struct pair *pair)
{
	static const uint32_t none[] = { 0, EAGAIN, EINTR, 4096, 0x7fffffff, 0x80000000, 0xffffffff };
	unsigned char out[WIRE_ERROR_SIZE];
	size_t i;

	(void)pair;
	error_encode(out, -ENOMEM);
	assert_code(error_decode(out), -ENOMEM);
	error_encode(out, -4095);
	assert_code(error_decode(out), -4095);
	for (i = 0; i < sizeof(none) / sizeof(*none); i++) {
		put32(out + 8, none[i]);
		assert_code(error_decode(out), -EPROTO);
	}
}

static void a_frame_comes_back_as_it_was(struct pair *pair)
{
	static const uint32_t sizes[] = { 0, 1, 255, 65536, FRAME_BYTES_MAX };
	unsigned char out[FRAME_HEADER];
	uint32_t id, n;
	size_t i;

	(void)pair;
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		memset(out, 0xa5, sizeof(out));
		frame_encode(out, 0x01020304, sizes[i]);
		id = n = 0xa5a5a5a5;
		assert_code(frame_decode(out, &id, &n), 0);
		assert_int_equal(id, 0x01020304);
		assert_int_equal(n, sizes[i]);
	}
}

static void a_frame_is_as_in_the_older_protocol_but_for_the_version(struct pair *pair)
{
	static const unsigned char frame[] = { 0, 0, 1, 16, 0x77, 0x58, 16, 3, 0, 0, 0, 9, 0, 0, 0, 0 };
	unsigned char out[FRAME_HEADER];

	(void)pair;
	frame_encode(out, 9, 256);
	assert_memory_equal(out, frame, sizeof(frame));
}

static void a_frame_with_a_wrong_bit_is_ebadmsg(struct pair *pair)
{
	unsigned char out[FRAME_HEADER];
	uint32_t id, n;
	int bit;

	(void)pair;
	frame_encode(out, 7, 0);
	/* From the magic to the type, and the status. The length and the id are the caller's to judge. */
	for (bit = 32; bit < 128; bit++) {
		if (bit >= 64 && bit < 96)
			continue;
		out[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_code(frame_decode(out, &id, &n), -EBADMSG);
		out[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	for (out[3] = 0; out[3] < 16; out[3]++)
		assert_code(frame_decode(out, &id, &n), -EBADMSG);
	assert_code(frame_decode(out, &id, &n), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(a_header_is_as_in_the_older_protocol),
		ALONE(a_header_with_another_magic_or_too_short_a_length_is_ebadmsg),
		ALONE(a_hello_comes_back_as_it_was),
		ALONE(an_offer_comes_back_as_it_was),
		ALONE(an_error_comes_back_as_it_was_if_it_is_one),
		ALONE(a_frame_comes_back_as_it_was),
		ALONE(a_frame_is_as_in_the_older_protocol_but_for_the_version),
		ALONE(a_frame_with_a_wrong_bit_is_ebadmsg),
	};

	return RUN_TESTS(tests, argc, argv);
}
