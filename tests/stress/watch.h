/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.h - the process that starts the others, and sees to it that they come to an end
 */
#ifndef STRESS_WATCH_H
#define STRESS_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "board.h"

struct watched {
	pid_t pid;
	int status; /* of waitpid(2), when over */
	bool over;
};

/**
 * watch_start - fork; in the child call `body` and exit with what it returns
 */
void watch_start(struct watched *process, int (*body)(void *), void *argument);

/**
 * watch_all - until all are over
 * @patience: seconds; if as long neither `progress` nor the processes' number changes, they hang
 * @progress: any number that grows while things go well
 *
 * Those that hang are shown, then killed. Returns RUN_PASSED: all exited with 0; RUN_HUNG; else
 * RUN_FAILED. A process that was killed by `expected` counts as exited with 0; 0: none.
 */
int watch_all(struct watched *processes, int count, double patience, uint64_t (*progress)(void *), void *argument,
	      int expected);

/**
 * watch_poll - whether a process is over, without waiting
 */
bool watch_poll(struct watched *process);

#endif /* STRESS_WATCH_H */
