// SPDX-License-Identifier: Apache-2.0
/*
 * shake.c - stands between the two sides of a handshake
 */
#include "shake.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mail.h"

void shake_prepare(struct shake *shake, struct pair *pair)
{
	const struct shmipc_session_options defaults = SHMIPC_SESSION_OPTIONS_INIT;
	int i;

	/* Of the round before. */
	shmipc_channel_destroy(pair->a);
	shmipc_channel_destroy(pair->b);
	pair->a = pair->b = NULL;
	memset(shake, 0xa5, sizeof(*shake));
	shake->pair = pair;
	for (i = 0; i < 2; i++) {
		shake->options[i] = defaults;
		shake->options[i].channel = pair_options(pair);
	}
}

void shake_begin(struct shake *shake, int64_t deadline)
{
	int i, pair[2];

	for (i = 0; i < 2; i++) {
		pair_sockets(pair);
		shake->near[i] = pair[0];
		shake->far[i] = pair[1];
		shake->result[i] = -EAGAIN;
		assert_code(handshake_init(&shake->side[i], pair[0], i == SERVER, &shake->options[i], deadline), 0);
	}
}

void shake_open(struct shake *shake, struct pair *pair)
{
	shake_prepare(shake, pair);
	shake_begin(shake, FAR);
}

int shake_step(struct shake *shake, int side)
{
	if (shake->result[side] == -EAGAIN)
		shake->result[side] = handshake_step(&shake->side[side]);
	return shake->result[side];
}

void shake_take(struct shake *shake, int side, struct parcel *parcel)
{
	int fds[MAIL_FDS];
	ssize_t n;

	memset(parcel, 0xa5, sizeof(*parcel));
	shake_step(shake, side);
	n = mail_receive(shake->far[side], parcel->bytes, sizeof(parcel->bytes), fds, &parcel->count, MSG_DONTWAIT);
	if (n <= 0)
		fail_msg("side %d sent nothing: its step said %d", side, shake->result[side]);
	parcel->size = (size_t)n;
	assert_true(parcel->count <= PARCEL_FDS);
	memcpy(parcel->fds, fds, (size_t)parcel->count * sizeof(int));
}

void shake_give_some(struct shake *shake, int side, const struct parcel *parcel, size_t from, size_t to)
{
	if (from == to)
		return;
	assert_int_equal(mail_send(shake->far[side], parcel->bytes + from, to - from, parcel->fds,
				   from ? 0 : parcel->count, MSG_NOSIGNAL | MSG_DONTWAIT),
			 (ssize_t)(to - from));
}

void shake_give(struct shake *shake, int side, struct parcel *parcel)
{
	shake_give_some(shake, side, parcel, 0, parcel->size);
	parcel_drop(parcel);
	shake_step(shake, side);
}

void shake_give_bytes(struct shake *shake, int side, const unsigned char *bytes, size_t size)
{
	struct parcel parcel = { .size = size };

	memcpy(parcel.bytes, bytes, size);
	shake_give(shake, side, &parcel);
}

void shake_until(struct shake *shake, int message, struct parcel *parcel)
{
	int i;

	for (i = 0; i <= message; i++) {
		shake_take(shake, SENDER(i), parcel);
		if (i < message)
			shake_give(shake, RECEIVER(i), parcel);
	}
}

void shake_finish(struct shake *shake, int message, struct parcel *parcel)
{
	for (;;) {
		shake_give(shake, RECEIVER(message), parcel);
		if (++message == MESSAGES)
			return;
		shake_take(shake, SENDER(message), parcel);
	}
}

void shake_run(struct shake *shake)
{
	struct parcel parcel;

	shake_until(shake, EXCHANGE, &parcel);
	shake_finish(shake, EXCHANGE, &parcel);
}

void shake_hang_up(struct shake *shake, int side)
{
	close(shake->far[side]);
	shake->far[side] = -1;
}

void shake_expect_error(struct shake *shake, int side, int error)
{
	struct wire_header header;
	struct parcel parcel;

	shake_take(shake, side, &parcel);
	assert_int_equal(parcel.size, WIRE_ERROR_SIZE);
	assert_int_equal(parcel.count, 0);
	assert_code(header_decode(parcel.bytes, &header), 0);
	assert_int_equal(header.version, WIRE_VERSION);
	assert_int_equal(header.type, WIRE_ERROR);
	assert_int_equal(header.length, WIRE_ERROR_SIZE);
	assert_code(error_decode(parcel.bytes), error);
}

struct wire_hello shake_honest_hello(struct pair *pair, int message)
{
	struct wire_hello hello;
	struct shake shake;
	struct parcel parcel;

	shake_open(&shake, pair);
	shake_until(&shake, message, &parcel);
	hello = parcel_hello(&parcel);
	shake_close(&shake);
	return hello;
}

void shake_expect_refusal(struct pair *pair, int message, const struct wire_hello *to, int expected)
{
	struct shake shake;
	struct parcel parcel;
	int side = RECEIVER(message);

	shake_open(&shake, pair);
	shake_until(&shake, message, &parcel);
	parcel_set_hello(&parcel, to);
	shake_give(&shake, side, &parcel);
	assert_code(shake.result[side], expected);
	assert_null(shake.side[side].channel);
	shake_take(&shake, side, &parcel);
	/* And the other side is told. */
	shake_give(&shake, 1 - side, &parcel);
	assert_code(shake.result[1 - side], expected);
	shake_close(&shake);
}

void shake_close(struct shake *shake)
{
	struct shmipc_channel **channel[2] = { &shake->pair->a, &shake->pair->b };
	struct session_limits limits;
	int i;

	for (i = 0; i < 2; i++) {
		if (!shake->result[i])
			handshake_take(&shake->side[i], channel[i], &limits);
		handshake_fini(&shake->side[i]);
		close(shake->near[i]);
		if (shake->far[i] >= 0)
			close(shake->far[i]);
	}
}

void parcel_drop(struct parcel *parcel)
{
	while (parcel->count > 0)
		close(parcel->fds[--parcel->count]);
}

void parcel_add(struct parcel *parcel, int fd)
{
	assert_true(fd >= 0);
	assert_true(parcel->count < PARCEL_FDS);
	parcel->fds[parcel->count++] = fd;
}

void parcel_replace(struct parcel *parcel, int index, int fd)
{
	assert_true(fd >= 0);
	assert_true(index < parcel->count);
	close(parcel->fds[index]);
	parcel->fds[index] = fd;
}

struct wire_hello parcel_hello(const struct parcel *parcel)
{
	struct wire_hello hello;

	assert_int_equal(parcel->size, WIRE_HELLO_SIZE);
	hello_decode(parcel->bytes, &hello);
	return hello;
}

void parcel_set_hello(struct parcel *parcel, const struct wire_hello *hello)
{
	struct wire_header header;

	assert_code(header_decode(parcel->bytes, &header), 0);
	hello_encode(parcel->bytes, header.type, hello);
}
