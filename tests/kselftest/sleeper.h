/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A thread inside a call that blocks, and time: start it, know that it sleeps, fetch its result.
 */
#ifndef SLEEPER_H
#define SLEEPER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sleeper {
	/* Set by the test. */
	int fd;
	unsigned long command;
	uintptr_t argument;
	/* Set by the thread. */
	pid_t tid;
	long result;
	uint64_t returned_ns;
	int done;
	pthread_t thread;
};

/*
 * Starts a thread that calls ioctl(@fd, @command, @argument) and returns once it is asleep inside,
 * or is through.
 */
void sleeper_start(struct sleeper *sleeper, int fd, unsigned long command, uintptr_t argument);
#define SLEEPER_START(sleeper, fd, command, argument) \
	sleeper_start(sleeper, fd, command, (uintptr_t)(argument))

bool sleeper_done(struct sleeper *sleeper);
/* Whether it still sleeps after @ms milliseconds. */
bool sleeper_sleeps_for(struct sleeper *sleeper, unsigned int ms);
/* Waits until it is through and returns the call's result. */
long sleeper_join(struct sleeper *sleeper);

/* Whether a thread, of any process, is asleep. */
bool task_asleep(pid_t tid);
/* Waits until it is, @ms milliseconds at most. */
bool task_falls_asleep(pid_t tid, unsigned int ms);

/* CLOCK_MONOTONIC. */
uint64_t now_ns(void);
void sleep_ms(unsigned int ms);
#define MS 1000000ull

/* Installs a handler that counts in `signals_handled`. */
void count_signals(int signal, int flags);
extern volatile int signals_handled;

#endif /* SLEEPER_H */
