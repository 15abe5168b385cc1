/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer.h - what happens to sessions by the clock: monitor calls and idle timeouts
 *
 * One thread a process, which exists while a session that asked for either does. It sleeps until something is due.
 */
#ifndef SHMIPC_SESSION_TIMER_H
#define SHMIPC_SESSION_TIMER_H

#include "../shm/atomics.h"

struct shmipc_session;
struct clockwork;

/* A session's part, in struct shmipc_session; zeroed: nothing was asked for. */
struct session_timer {
	struct clockwork *_Atomic home; /* of the process that added it; NULL: not added */
	/* Under home's lock: */
	int64_t monitor_due, idle_due; /* CLOCK_MONOTONIC nanoseconds */
	uint32_t position;	       /* in home's heap */
	bool running;		       /* something of it runs in home's thread */
	bool ended;		       /* the session has, and is told to be looked at a last time */
	bool finished;		       /* the last call is over */
};

/**
 * timer_add - begin, if the session's options ask for a monitor or an idle timeout
 *
 * Once, with the session complete and before anybody else has it. Returns 0, -ENOMEM or -EAGAIN: no thread could be made.
 */
int timer_add(struct shmipc_session *session);

/**
 * timer_end - the session ended: its monitor is called a last time, soon, by the thread
 *
 * Part of session_fail(), so under no lock. Does nothing where nothing was added.
 */
void timer_end(struct shmipc_session *session);

/**
 * timer_remove - stop
 *
 * Part of close, under no lock, with a reference to the session. Waits for the monitor's last call, and until nothing
 * of the session's runs in the thread; but from the session's own monitor it returns at once, and that call was the
 * last. In a forked child, or where nothing was added, it does nothing.
 */
void timer_remove(struct shmipc_session *session);

#endif /* SHMIPC_SESSION_TIMER_H */
