/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair.h - the two sides of a run: in two processes, or in one
 */
#ifndef STRESS_PAIR_H
#define STRESS_PAIR_H

#include "board.h"
#include "plan.h"
#include "watch.h"

/* What one side's process is given. */
struct end {
	const struct plan *plan;
	struct board *board;
	unsigned int endpoint;
	int socket;	  /* to the other side, for the handover */
	int other_socket; /* the other side's, to be closed; -1: none */
	bool may_break;	  /* the other side may be killed at any point */
};

/**
 * pair_open - the endpoint of a side, handed over
 *
 * Returns 0 or -errno.
 */
int pair_open(const struct end *end, struct shmipc_channel **channel);

/**
 * pair_start - both sides, each in a process of its own, or both in one
 *
 * Returns the number of processes.
 */
int pair_start(const struct plan *plan, struct board *board, struct watched *processes, bool may_break);

/**
 * pair_progress - for watch_all(); the argument is the board
 */
uint64_t pair_progress(void *board);

/**
 * pair_compare - the counters of both sides, after a run that came to its end
 *
 * Returns RUN_PASSED or RUN_FAILED.
 */
int pair_compare(const struct board *board);

#endif /* STRESS_PAIR_H */
