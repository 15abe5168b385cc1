/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - what one run is to do: the command line, and what a seed chooses where that says nothing
 */
#ifndef STRESS_PLAN_H
#define STRESS_PLAN_H

#include "message.h"
#include "shmipc/channel.h"

/* Exit statuses. */
enum {
	RUN_PASSED,
	RUN_FAILED,
	RUN_USAGE,
	RUN_HUNG,	  /* no progress: what a lost wake-up looks like */
	RUN_SKIPPED = 77, /* the backend is not here */
};

enum loop_kind {
	LOOP_BLOCK, /* shmipc_channel_wait() */
	LOOP_LEVEL, /* epoll, level-triggered, with arm and disarm */
	LOOP_EDGE,  /* epoll, edge-triggered */
};

struct plan {
	struct shmipc_channel_options channel;
	int sync[2]; /* of either endpoint; enum shmipc_sync */
	enum message_sizes sizes;
	enum loop_kind loop;
	uint64_t seed;
	uint64_t messages; /* each way; 0: until the time is over */
	double seconds;
	double patience; /* seconds without progress that are a hang */
	unsigned int kills; /* times a side is killed; 0: none is */
	bool batch;
	bool threads;	 /* two an endpoint, and one that disturbs them */
	bool in_process; /* both endpoints in one process */
	bool quiet;
	uint64_t window; /* most messages ahead of the other side's; 0: changes all the time */
	uint64_t burst; /* take turns: that many messages each; 0: do not */
	uint64_t round; /* threads: that many each, then not on before all came; 0: on and on */
	uint64_t exact_size; /* of every message; 0: as `sizes` says */
	bool steady; /* nothing is kept, and no wait has a deadline: nothing makes up for a wake-up that was lost */
};

/**
 * plan_parse - from the command line
 *
 * Returns 0, or -1 after having said what is wrong.
 */
int plan_parse(struct plan *plan, int argc, char **argv);

/**
 * plan_seed - choose anew, from another seed, what the seed chooses
 */
void plan_seed(struct plan *plan, uint64_t seed);

/**
 * plan_describe - one line that repeats the run
 */
void plan_describe(const struct plan *plan, char *text, size_t size);

#endif /* STRESS_PLAN_H */
