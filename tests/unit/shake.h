/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shake.h - a handshake with the test in the middle, who forwards, cuts, forges or swallows each message
 *
 * Both sides are state machines that never block, so all of it is one thread.
 */
#ifndef TESTS_UNIT_SHAKE_H
#define TESTS_UNIT_SHAKE_H

#include "pair.h"
#include "wire/handshake.h"

enum { CLIENT = 0, SERVER = 1 };

/* An honest handshake's messages, in their order. */
enum { EXCHANGE, EXCHANGED, HELLO, WELCOME, OFFER, ANSWER, MESSAGES };

/* Who sends a message, and who gets it. */
#define SENDER(message) ((message) % 2)
#define RECEIVER(message) (1 - SENDER(message))

struct shake {
	struct pair *pair;
	struct shmipc_session_options options[2];
	struct handshake side[2];
	int result[2]; /* of each side's last step */
	int near[2];   /* the sides' sockets */
	int far[2];    /* their other ends, the test's; -1: hung up */
};

#define PARCEL_FDS 12
struct parcel {
	unsigned char bytes[2048];
	size_t size;
	int fds[PARCEL_FDS];
	int count;
};

/* Options with the pair's backend. */
void shake_prepare(struct shake *shake, struct pair *pair);
/* Begin on both sides, with shake->options and this deadline. */
void shake_begin(struct shake *shake, int64_t deadline);
/* Both. */
void shake_open(struct shake *shake, struct pair *pair);

/* A side's step, if it is not over; what it said. */
int shake_step(struct shake *shake, int side);

/* Take a message that a side sends. */
void shake_take(struct shake *shake, int side, struct parcel *parcel);

/* Give a side bytes of a message, descriptors with the first of them; all of it, then drop what it holds. */
void shake_give_some(struct shake *shake, int side, const struct parcel *parcel, size_t from, size_t to);
void shake_give(struct shake *shake, int side, struct parcel *parcel);
void shake_give_bytes(struct shake *shake, int side, const unsigned char *bytes, size_t size);

/* Forward all messages before this one, and take that. */
void shake_until(struct shake *shake, int message, struct parcel *parcel);
/* Forward this message and those after it. */
void shake_finish(struct shake *shake, int message, struct parcel *parcel);
/* Forward all of them. */
void shake_run(struct shake *shake);

/* A side sees the end of what it reads. */
void shake_hang_up(struct shake *shake, int side);

/* Expect that the side's next message is ERROR with that error. */
void shake_expect_error(struct shake *shake, int side, int error);

/* What an honest side says in HELLO or WELCOME. */
struct wire_hello shake_honest_hello(struct pair *pair, int message);
/* A handshake in which that message is changed to this: both sides end with the error, and nobody made a channel. */
void shake_expect_refusal(struct pair *pair, int message, const struct wire_hello *to, int expected);

/* End both; what they came to is pair->a and pair->b. */
void shake_close(struct shake *shake);

void parcel_drop(struct parcel *parcel);
void parcel_add(struct parcel *parcel, int fd);
void parcel_replace(struct parcel *parcel, int index, int fd);
/* The hello that it is; have it say something else. */
struct wire_hello parcel_hello(const struct parcel *parcel);
void parcel_set_hello(struct parcel *parcel, const struct wire_hello *hello);

#endif /* TESTS_UNIT_SHAKE_H */
