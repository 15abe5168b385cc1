/* SPDX-License-Identifier: Apache-2.0 */
/*
 * talk.h - what is said on one stream of the sessions' stress test, and how each side does its part
 *
 * How much goes in either direction, and how the stream ends, follows from the run's seed and the stream's number, so
 * that both sides know it. So does every byte from these and its place: each eight bytes are a hash of seed, stream, direction
 * and position, and none of another stream, time or place is taken for the right one.
 *
 * Threads: one at a time is in talk_write(), one in talk_read(). Whatever goes wrong ends the process, with a sentence.
 */
#ifndef STRESS_TALK_H
#define STRESS_TALK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "message.h"
#include "shmipc/stream.h"

#define TALK_HELD 3
#define TALK_ROOM 200000

enum ending {
	ENDING_BOTH,  /* each side ends when it has said all */
	ENDING_CLOSE, /* the opener says all, and closes at once, unread bytes or not */
	ENDING_LEAVE, /* the accepter closes after a part */
	ENDING_RESET, /* the opener resets after a part */
};

struct flow {
	uint64_t key, total, at;
};

/* Most that may be asked for at once, as the session's options have it. */
struct talk_limits {
	size_t write, reserve, message, peek;
	bool may_break; /* the other side may be killed: -EPIPE is what a writer learns first */
};

struct talk {
	struct shmipc_stream *stream;
	const struct talk_limits *limits;
	bool opener, steady; /* steady: nothing is held while a thread may block */
	enum ending ending;
	uint64_t stop_at; /* where a part ends: of what the side that cuts it short does */

	/* The writer's: */
	unsigned char *out_room; /* TALK_ROOM bytes */
	struct flow out;
	uint64_t rng_out;
	_Atomic bool written; /* all of it, or there is no use */

	/* The reader's: */
	unsigned char *in_room;
	struct flow in;
	uint64_t rng_in;
	_Atomic bool read;
	struct shmipc_piece held[TALK_HELD];
	uint64_t held_at[TALK_HELD];
	unsigned int held_count;

	struct talk *next;
	pthread_mutex_t lock; /* callbacks: who works on it */
	bool gone;
};

/* What a step came to. */
enum talk_step {
	TALK_OVER,  /* there is no more to do in this direction */
	TALK_ON,    /* something was done */
	TALK_STUCK, /* not now, or the deadline passed */
	TALK_DEAD,  /* the session has ended */
};

/**
 * talk_begin - a stream that was opened or accepted
 */
void talk_begin(struct talk *talk, struct shmipc_stream *stream, bool opener, uint64_t seed,
		const struct talk_limits *limits);

/**
 * talk_end - close the stream
 */
void talk_end(struct talk *talk);

/* One call each, of some kind. */
enum talk_step talk_write(struct talk *talk, int64_t deadline);
enum talk_step talk_read(struct talk *talk, int64_t deadline);

static inline bool talk_is_over(const struct talk *talk)
{
	return talk->written && talk->read;
}

/* talk.c, for the two: */
void flow_fill(const struct flow *flow, void *data, size_t size);
void talk_check(struct talk *talk, uint64_t position, const void *data, size_t size);
void talk_fail(const struct talk *talk, const char *what, long long value) __attribute__((noreturn));
/* Whether an error is the session's end. */
bool talk_is_dead(const struct talk *talk, long long r);

#endif /* STRESS_TALK_H */
