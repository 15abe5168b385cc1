/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.h - memory that all processes of a run share, beside the channel under test: progress for
 * the watchdog, the steps at the end, and the counters that are compared
 */
#ifndef STRESS_BOARD_H
#define STRESS_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shmipc/channel.h"

struct board_side {
	_Atomic uint64_t sent;	   /* messages submitted */
	_Atomic uint64_t received; /* and verified */
	_Atomic uint64_t kept;
	_Atomic uint64_t growths;
	_Atomic int attached;
	_Atomic int broken_off; /* saw the other side's end before its last message */
	struct shmipc_channel_stats stats;
};

struct board {
	struct board_side side[2];
	_Atomic uint32_t arrived[2]; /* sides at each step of the end */
	_Atomic uint64_t rounds;     /* of the hostile-peer test */
	_Atomic bool over;	     /* its last one */
};

/**
 * board_create - shared with processes that are forked later
 */
struct board *board_create(void);

/**
 * board_arrive - come to a step of the end and wait until both sides have
 */
void board_arrive(struct board *board, unsigned int step);

#endif /* STRESS_BOARD_H */
