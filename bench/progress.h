/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

/*
 * How far a long run is: where standard error is a terminal, one line there that is written over; elsewhere a line for each
 * turn, where there are several.
 */

/* Before the first of @rows rows, each of which is run @turns times. */
void progress_begin(unsigned int rows, unsigned int turns);

/* Row @row is about to be run in turn @turn, both from 0; in turn @turns, counted in. */
void progress_step(unsigned int row, unsigned int turn);

/* Takes the line away, before anything else is written to the terminal. */
void progress_clear(void);

#endif
