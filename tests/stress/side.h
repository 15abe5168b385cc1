/* SPDX-License-Identifier: Apache-2.0 */
/*
 * side.h - one endpoint at work: it sends its messages, checks the other's, and waits in between
 *
 * Threads: with plan->threads one thread is in produce_*() and another in consume_*(); `sent` and
 * `received` are theirs to share. Whatever goes wrong ends the process, with a sentence.
 */
#ifndef STRESS_SIDE_H
#define STRESS_SIDE_H

#include <pthread.h>
#include <stdbool.h>

#include "board.h"
#include "plan.h"

#define KEPT_MAX 24
#define GROUP_MAX 4

struct kept {
	struct shmipc_message message;
	uint64_t sequence;
};

struct side {
	struct shmipc_channel *channel;
	const struct plan *plan;
	unsigned int endpoint;
	struct recipe out, in;
	struct board *shared;
	struct board_side *board; /* the own part of that */
	_Atomic int64_t until;

	/* The producing thread's: */
	uint64_t rng_out;
	bool single; /* the last group did not fit: one at a time */
	bool owes;   /* the doorbell step was left out */

	/* The consuming thread's: */
	uint64_t rng_in;
	struct kept kept[KEPT_MAX];
	unsigned int kept_count;
	bool stalled; /* kept too long: the other side waits for room */

	_Atomic uint64_t sent, received;
	_Atomic bool out_done, in_done, broken;
	pthread_mutex_t lock; /* for the producing thread to wait for `received` */
	pthread_cond_t moved;
};

/* What a step came to; or -EPIPE. */
enum step {
	STEP_DONE,   /* there is nothing to do any more */
	STEP_ON,     /* something was done */
	STEP_FULL,   /* no room */
	STEP_AHEAD,  /* as far ahead of the other side as may be */
	STEP_EMPTY,  /* nothing to read */
};

void side_init(struct side *side, const struct plan *plan, unsigned int endpoint, struct board *board);

/**
 * side_run - until both directions are done, or the peer is gone
 *
 * Returns 0 or -EPIPE.
 */
int side_run(struct side *side);

/**
 * side_settle - after the last message: until everything lent came back
 */
void side_settle(struct side *side);

/**
 * side_fail - say what is wrong, show the words of both lanes, and end the process
 */
void side_fail(struct side *side, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

int64_t clock_now(void);

/* produce.c */
int produce_step(struct side *side);
void produce_flush(struct side *side);

/* consume.c */
int consume_step(struct side *side);
void consume_release_all(struct side *side);

/* threads.c: side_run() with plan->threads. */
int threads_run(struct side *side);

#endif /* STRESS_SIDE_H */
