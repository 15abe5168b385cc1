/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h - a thread that makes one call which may block, and whether it is asleep in it
 */
#ifndef TESTS_UNIT_WORKER_H
#define TESTS_UNIT_WORKER_H

#include <pthread.h>
#include <sys/types.h>

#include "pair.h"

struct worker {
	int (*call)(struct worker *worker);
	/* For the call: */
	struct shmipc_channel *channel;
	unsigned int events;
	int64_t deadline;
	void *argument;
	/* By the call: */
	int result;
	int64_t ended;

	_Atomic pid_t tid;
	_Atomic bool over;
	pthread_t thread;
};

/* Start a thread on worker->call; fails the test where that cannot be done. */
void worker_start(struct worker *worker);

/* Start a thread that waits. */
void worker_wait(struct worker *worker, struct shmipc_channel *channel, unsigned int events, int64_t deadline);

/* Wait until the thread sleeps in the kernel. False: its call has returned. */
bool worker_sleeps(struct worker *worker);

/* Return when the thread sleeps in the kernel; fails the test where its call has returned. */
void worker_await_sleep(struct worker *worker);

/* The call's result; fails the test if it does not end within FAR. */
int worker_join(struct worker *worker);

/* Send a signal to the thread. */
void worker_signal(struct worker *worker, int signal);

#endif /* TESTS_UNIT_WORKER_H */
