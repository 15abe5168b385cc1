/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatcher.h - what a dispatcher's files share
 *
 *	dispatcher.c		its threads: what they sleep on, what they do next
 *	dispatcher_member.c	what it drives: adding, removing
 *
 * Overview. All threads sleep in one epoll. A session's descriptor is there edge-triggered: a ring of the peer's
 * wakes one thread, once, and costs no system call to arm again. (EPOLLONESHOT would cost one for each ring; and
 * where a thread is blocked in a read, and so leads and harvests for all, it would arm a descriptor that is readable
 * just because the session is not armed, again and again. EPOLLEXCLUSIVE is for one descriptor in several epolls.)
 * The thread that was woken harvests, and runs the callbacks that are due one after the other. Where more than one
 * is due it puts the session into the run queue and wakes one thread more, who does the same: as many threads
 * as there are callbacks, no more. A listener's descriptor is there with EPOLLONESHOT: one thread at a time processes it,
 * then it is armed again, and as many as are needed hand sessions out.
 *
 * Locking. dispatcher->lock: the table, the run queue, who sleeps. Nothing is called under it.
 *
 * Lifetime. A session is not held by its dispatcher: the last session_put() tells it (session_driver), and only
 * then its entry goes; so callbacks that become due after the session's end are run too. A thread that works on a
 * session holds it, with a reference that it got while there was another. An event names an entry by number and
 * generation: one that comes late names nobody. The dispatcher is freed with the last of: its handle, its entries.
 */
#ifndef SHMIPC_SESSION_DISPATCHER_H
#define SHMIPC_SESSION_DISPATCHER_H

#include <pthread.h>

#include "internal.h"
#include "shmipc/dispatcher.h"

struct driven {
	struct session_driver driver; /* what a session points to */
	/* Set before publish: */
	struct shmipc_dispatcher *dispatcher;
	struct shmipc_session *session; /* or: */
	struct shmipc_listener *listener;
	void (*on_session)(struct shmipc_listener *listener, struct shmipc_session *session, void *arg);
	void *arg;
	uint64_t name; /* generation and number */
	int fd;

	/* Under dispatcher->lock: */
	struct driven *next, **link; /* in the run queue; link NULL: not there */
	bool look;		     /* something may have arrived: harvest too */
	uint32_t users;		     /* a listener's: threads at work on it, or that wait for them */
	_Atomic bool removed;	     /* a listener's; read anywhere */
};

struct shmipc_dispatcher {
	const _Atomic uint32_t *guard;
	int epoll, wake_fd;
	unsigned int thread_count; /* as asked for */
	unsigned int started;	   /* create's and close's */
	pthread_t *threads;
	_Atomic uint32_t refs;
	_Atomic bool stopping;

	struct lock lock;
	struct driven **members; /* by number */
	uint32_t room, free;	 /* of members; where to look for a free one first */
	uint32_t generation;
	struct driven *ready, **ready_end; /* the run queue */
	uint32_t idle;			   /* threads that sleep */
	bool waking;			   /* a wake-up is under way to one of them */
	_Atomic uint32_t changes;	   /* a futex: a thread left a listener that was removed */
};

/* What wake_fd is in the epoll. */
#define DRIVEN_WAKE UINT64_MAX

/* dispatcher.c */

/* The listener whose callback this thread runs. */
extern __thread const struct driven *driven_current;

/* Under the lock: put it into the run queue. Returns whether a thread is to be woken, after the lock: dispatcher_wake(). */
bool dispatcher_queue_locked(struct driven *driven, bool look);
void dispatcher_unqueue_locked(struct driven *driven);
void dispatcher_wake(struct shmipc_dispatcher *dispatcher);

/* dispatcher_member.c */

/* Under the lock: who is meant, or NULL. */
struct driven *driven_find_locked(struct shmipc_dispatcher *dispatcher, uint64_t name);
/* Under the lock: hold what it drives; false: that is going. driven_put() gives it back, under no lock. */
bool driven_get_locked(struct driven *driven);
void driven_put(struct driven *driven);
/* Drive nothing any more; no thread runs. */
void driven_drop_all(struct shmipc_dispatcher *dispatcher);
/* In a forked child: free what it has of listeners. */
void driven_close_copies(struct shmipc_dispatcher *dispatcher);

void dispatcher_put(struct shmipc_dispatcher *dispatcher);

#endif /* SHMIPC_SESSION_DISPATCHER_H */
