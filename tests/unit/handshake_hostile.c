// SPDX-License-Identifier: Apache-2.0
/*
 * handshake_hostile.c - tests of each message of a handshake cut off, oversized, out of order, changed, or with
 * descriptors that it should not have; and of silence and hang-ups
 *
 * Each test also checks that no descriptor and no mapping is left on either side: see pair.c.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shake.h"

/* How many bytes each message has. */
static const size_t sizes[MESSAGES] = { 8, 8, WIRE_HELLO_SIZE, WIRE_HELLO_SIZE, WIRE_OFFER_SIZE, 8 };

static void a_message_cut_off_at_any_byte_is_epipe(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;
	int message, side;
	size_t cut;

	for (message = EXCHANGE; message < MESSAGES; message++) {
		side = RECEIVER(message);
		for (cut = 0; cut < sizes[message]; cut++) {
			shake_open(&shake, pair);
			shake_until(&shake, message, &parcel);
			assert_int_equal(parcel.size, sizes[message]);
			shake_give_some(&shake, side, &parcel, 0, cut);
			parcel_drop(&parcel);
			assert_code(shake_step(&shake, side), -EAGAIN);
			shake_hang_up(&shake, side);
			assert_code(shake_step(&shake, side), -EPIPE);
			shake_close(&shake);
		}
	}
}

static void silence_is_etimedout_at_the_deadline_and_not_before(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;
	int message, side, half;
	int64_t deadline;

	for (message = EXCHANGE; message < MESSAGES; message++) {
		for (half = 0; half < 2; half++) {
			side = RECEIVER(message);
			shake_prepare(&shake, pair);
			deadline = soon(60);
			shake_begin(&shake, deadline);
			shake_until(&shake, message, &parcel);
			shake_give_some(&shake, side, &parcel, 0, half * sizes[message] / 2);
			parcel_drop(&parcel);
			if (now_ns() < deadline - 10000000)
				assert_code(shake_step(&shake, side), -EAGAIN);
			while (now_ns() < deadline)
				sleep_ms(1);
			assert_code(shake_step(&shake, side), -ETIMEDOUT);
			shake_close(&shake);
		}
	}
}

static void a_message_that_is_there_beats_the_deadline(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;

	shake_prepare(&shake, pair);
	shake_begin(&shake, 1);
	shake_until(&shake, EXCHANGE, &parcel);
	shake_give_some(&shake, SERVER, &parcel, 0, parcel.size);
	assert_code(shake_step(&shake, SERVER), -ETIMEDOUT);
	/* It has answered all the same. */
	shake_take(&shake, SERVER, &parcel);
	assert_int_equal(parcel.size, 8);
	shake_close(&shake);
}

/* Give a side a message, changed. */
static void refuse(struct pair *pair, int message, void (*change)(struct parcel *parcel, uint32_t with), uint32_t with,
		   int expected)
{
	struct shake shake;
	struct parcel parcel;
	int side = RECEIVER(message);

	shake_open(&shake, pair);
	shake_until(&shake, message, &parcel);
	change(&parcel, with);
	shake_give(&shake, side, &parcel);
	if (shake.result[side] != expected)
		print_error("message %d, with %u:\n", message, with);
	assert_code(shake.result[side], expected);
	/* A client whose first words make no sense need not understand an error. */
	if (message > HELLO ||
	    (message == HELLO && recv(shake.far[side], &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) == 1))
		shake_expect_error(&shake, side, expected);
	else
		assert_int_equal(recv(shake.far[side], &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	shake_close(&shake);
}

static void set_length(struct parcel *parcel, uint32_t length)
{
	put32(parcel->bytes, length);
}

static void a_length_that_the_message_cannot_have_is_eproto(struct pair *pair)
{
	static const uint32_t never[] = { 0, 1, 7, WIRE_HELLO_MAX + 1, 65536, 0x7fffffff, 0x80000000, 0xffffffff };
	int message;
	size_t i;

	for (message = EXCHANGE; message < MESSAGES; message++) {
		for (i = 0; i < sizeof(never) / sizeof(*never); i++)
			refuse(pair, message, set_length, never[i], -EPROTO);
		refuse(pair, message, set_length, (uint32_t)sizes[message] - 1, -EPROTO);
		if (message != HELLO && message != WELCOME)
			refuse(pair, message, set_length, (uint32_t)sizes[message] + 1, -EPROTO);
	}
}

static void flip_bit(struct parcel *parcel, uint32_t bit)
{
	parcel->bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
}

static void a_header_with_a_wrong_bit_is_refused(struct pair *pair)
{
	uint32_t bit;
	int message;

	for (message = EXCHANGE; message < MESSAGES; message++) {
		for (bit = 32; bit < 64; bit++)
			refuse(pair, message, flip_bit, bit, -EPROTO);
	}
}

static void set_type(struct parcel *parcel, uint32_t type)
{
	/* Complete, as that message is. */
	if (type >= MESSAGES) {
		parcel->bytes[7] = (unsigned char)type;
		return;
	}
	parcel_drop(parcel);
	memset(parcel->bytes, 0, sizeof(parcel->bytes));
	parcel->size = sizes[type];
	header_encode(parcel->bytes,
		      &(struct wire_header){ (uint32_t)sizes[type],
					     type == EXCHANGE ? WIRE_VERSION_OLDER : WIRE_VERSION,
					     type < HELLO ? WIRE_EXCHANGE : (uint8_t)(WIRE_HELLO + type - HELLO) });
}

static void a_message_that_is_not_due_is_eproto(struct pair *pair)
{
	int message;
	uint32_t other;

	for (message = EXCHANGE; message < MESSAGES; message++) {
		for (other = 0; other < MESSAGES; other++) {
			/* The older protocol's answer to itself is told apart: handshake.c. */
			if ((int)other != message && !(message == EXCHANGED && other == EXCHANGE))
				refuse(pair, message, set_type, other, -EPROTO);
		}
		/* A frame of the session's, which there is none of yet; types that nobody knows. */
		refuse(pair, message, set_type, 32 + WIRE_FALLBACK, -EPROTO);
		refuse(pair, message, set_type, 255, -EPROTO);
	}
}

static void an_error_without_a_reason_is_eproto(struct pair *pair)
{
	static const uint32_t none[] = { 0, EAGAIN, EINTR, 4096, 0xffffffff };
	struct shake shake;
	struct parcel parcel;
	int message;
	size_t i;

	for (message = HELLO; message < MESSAGES; message++) {
		for (i = 0; i < sizeof(none) / sizeof(*none); i++) {
			shake_open(&shake, pair);
			shake_until(&shake, message, &parcel);
			parcel_drop(&parcel);
			parcel.size = error_encode(parcel.bytes, -EIO);
			put32(parcel.bytes + 8, none[i]);
			shake_give(&shake, RECEIVER(message), &parcel);
			assert_code(shake.result[RECEIVER(message)], -EPROTO);
			shake_close(&shake);
		}
	}
}

static void add_descriptors(struct parcel *parcel, uint32_t count)
{
	while (count--)
		parcel_add(parcel, open("/dev/null", O_RDWR | O_CLOEXEC));
}

static void descriptors_where_none_belong_are_eproto(struct pair *pair)
{
	int message;

	for (message = EXCHANGE; message <= WELCOME; message++) {
		refuse(pair, message, add_descriptors, 1, -EPROTO);
		refuse(pair, message, add_descriptors, 2, -EPROTO);
		refuse(pair, message, add_descriptors, 3, -EPROTO);
		refuse(pair, message, add_descriptors, 10, -EPROTO);
	}
}

static void an_error_with_descriptors_is_eproto(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;

	shake_open(&shake, pair);
	shake_until(&shake, OFFER, &parcel);
	assert_true(parcel.count > 0);
	parcel.size = error_encode(parcel.bytes, -EIO);
	shake_give(&shake, SERVER, &parcel);
	assert_code(shake.result[SERVER], -EPROTO);
	shake_close(&shake);
}

static void drop_descriptors(struct parcel *parcel, uint32_t count)
{
	while (count--)
		close(parcel->fds[--parcel->count]);
}

static int descriptors_of(struct pair *pair, int message)
{
	if (pair->backend == SHMIPC_BACKEND_KMOD)
		return message == OFFER ? 1 : 0;
	return message == OFFER ? 2 : 1;
}

static void missing_and_surplus_descriptors_are_eproto(struct pair *pair)
{
	uint32_t count;
	int message;

	for (message = OFFER; message <= ANSWER; message++) {
		for (count = 1; (int)count <= descriptors_of(pair, message); count++)
			refuse(pair, message, drop_descriptors, count, -EPROTO);
		for (count = 1; count <= 10; count += 3)
			refuse(pair, message, add_descriptors, count, -EPROTO);
	}
}

static int make_descriptor(uint32_t kind)
{
	int fds[2];

	switch (kind) {
	case 0:
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		close(fds[1]);
		return fds[0];
	case 1:
		return memfd_create("x", MFD_CLOEXEC);
	case 2:
		return eventfd(0, EFD_CLOEXEC);
	case 3:
		return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	case 4:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 5:
		return open("/", O_PATH | O_CLOEXEC);
	case 6:
		return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	case 7:
		return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	default:
		return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	}
}

static void replace_first(struct parcel *parcel, uint32_t kind)
{
	parcel_replace(parcel, 0, make_descriptor(kind));
}

static void replace_last(struct parcel *parcel, uint32_t kind)
{
	parcel_replace(parcel, parcel->count - 1, make_descriptor(kind));
}

static void descriptors_of_the_wrong_kind_are_eproto(struct pair *pair)
{
	uint32_t kind;
	int message;

	for (message = OFFER; message <= ANSWER; message++) {
		for (kind = 0; kind < 9 && descriptors_of(pair, message); kind++) {
			refuse(pair, message, replace_first, kind, -EPROTO);
			refuse(pair, message, replace_last, kind, -EPROTO);
		}
	}
}

static void descriptors_behind_the_first_byte_are_eproto(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel, rest;
	int message, side;
	size_t at;

	for (message = EXCHANGE; message < MESSAGES; message++) {
		side = RECEIVER(message);
		for (at = 1; at < sizes[message]; at += 6) {
			shake_open(&shake, pair);
			shake_until(&shake, message, &parcel);
			shake_give_some(&shake, side, &parcel, 0, at);
			assert_code(shake_step(&shake, side), -EAGAIN);
			rest.count = 0;
			rest.size = parcel.size - at;
			memcpy(rest.bytes, parcel.bytes + at, rest.size);
			add_descriptors(&rest, 1);
			parcel_drop(&parcel);
			shake_give(&shake, side, &rest);
			assert_code(shake.result[side], -EPROTO);
			shake_close(&shake);
		}
	}
}

/* A bit of the offer's geometry changed: refused, or as large as both sides then say. */
static void an_offer_with_a_wrong_bit_is_refused(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;
	uint32_t bit;
	int r;

	for (bit = 64; bit < WIRE_OFFER_SIZE * 8; bit++) {
		shake_open(&shake, pair);
		shake_until(&shake, OFFER, &parcel);
		flip_bit(&parcel, bit);
		shake_give(&shake, SERVER, &parcel);
		r = shake.result[SERVER];
		/* The first segment's size, alone of all, is what it says: any size is a good one. */
		if (r != -EPROTO && r != -EMSGSIZE && !(r == 0 && bit >= 192 && bit < 256))
			fail_msg("bit %u: %d", bit, r);
		if (r)
			shake_expect_error(&shake, SERVER, r);
		shake_close(&shake);
	}
}

static void an_offer_of_a_backend_that_was_not_agreed_is_eproto(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;
	uint32_t backend;

	for (backend = 0; backend < 5; backend++) {
		if (backend == pair->backend)
			continue;
		shake_open(&shake, pair);
		shake_until(&shake, OFFER, &parcel);
		put32(parcel.bytes + WIRE_HEADER, backend);
		shake_give(&shake, SERVER, &parcel);
		assert_code(shake.result[SERVER], -EPROTO);
		shake_close(&shake);
	}
}

static void a_peer_that_hangs_up_before_the_answer_is_epipe(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;

	shake_open(&shake, pair);
	shake_until(&shake, OFFER, &parcel);
	shake_give_some(&shake, SERVER, &parcel, 0, parcel.size);
	parcel_drop(&parcel);
	shake_hang_up(&shake, SERVER);
	assert_code(shake_step(&shake, SERVER), -EPIPE);
	shake_close(&shake);
}

static void a_peer_that_does_not_read_is_waited_for_until_the_deadline(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;
	char filling[4096];
	int64_t deadline;

	memset(filling, 0, sizeof(filling));
	shake_prepare(&shake, pair);
	deadline = soon(100);
	shake_begin(&shake, deadline);
	shake_until(&shake, OFFER, &parcel);
	/* The answer finds the socket full. */
	while (send(shake.near[SERVER], filling, sizeof(filling), MSG_DONTWAIT) > 0)
		;
	shake_give(&shake, SERVER, &parcel);
	assert_code(shake.result[SERVER], -EAGAIN);
	assert_int_equal(handshake_events(&shake.side[SERVER]), POLLOUT);
	while (now_ns() < deadline)
		sleep_ms(1);
	assert_code(shake_step(&shake, SERVER), -ETIMEDOUT);
	shake_close(&shake);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_message_cut_off_at_any_byte_is_epipe),
		ON_BOTH(silence_is_etimedout_at_the_deadline_and_not_before),
		ON_MEMFD(a_message_that_is_there_beats_the_deadline),
		ON_MEMFD(a_length_that_the_message_cannot_have_is_eproto),
		ON_MEMFD(a_header_with_a_wrong_bit_is_refused),
		ON_BOTH(a_message_that_is_not_due_is_eproto),
		ON_MEMFD(an_error_without_a_reason_is_eproto),
		ON_MEMFD(descriptors_where_none_belong_are_eproto),
		ON_BOTH(an_error_with_descriptors_is_eproto),
		ON_BOTH(missing_and_surplus_descriptors_are_eproto),
		ON_BOTH(descriptors_of_the_wrong_kind_are_eproto),
		ON_BOTH(descriptors_behind_the_first_byte_are_eproto),
		ON_BOTH(an_offer_with_a_wrong_bit_is_refused),
		ON_BOTH(an_offer_of_a_backend_that_was_not_agreed_is_eproto),
		ON_BOTH(a_peer_that_hangs_up_before_the_answer_is_epipe),
		ON_BOTH(a_peer_that_does_not_read_is_waited_for_until_the_deadline),
	};

	return RUN_TESTS(tests, argc, argv);
}
