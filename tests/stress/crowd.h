/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd.h - one side of the sessions' stress test: a session, and threads that talk on its streams in every way there is
 *
 *	jugglers	many streams each, no call blocks but now and then a wait
 *	blockers	one stream at a time, a thread that reads and one that writes, without deadlines
 *	a loop		where callbacks take the peer's streams: else jugglers accept them
 *	a disturber	asks for counters all the time
 *
 * Whatever goes wrong ends the process, with a sentence.
 */
#ifndef STRESS_CROWD_H
#define STRESS_CROWD_H

#include "board.h"
#include "talk.h"

struct crowd_plan {
	struct shmipc_session_options options; /* of both sides */
	uint64_t seed;
	double seconds, patience;
	bool loop[2]; /* of either side: callbacks take the peer's streams */
	bool edge;
	bool may_break; /* the other side may be killed at any point */
};

/**
 * crowd_plan_seed - choose options from a seed
 */
void crowd_plan_seed(struct crowd_plan *plan, enum shmipc_backend backend, uint64_t seed);

/* What one side's process is given. */
struct crowd_end {
	const struct crowd_plan *plan;
	struct board *board;
	unsigned int number; /* 0: the client */
	int socket, other_socket;
};

/**
 * crowd_run - be one side, from the handshake to the end; an end's process calls it
 *
 * Returns its exit status.
 */
int crowd_run(void *end);

#endif /* STRESS_CROWD_H */
